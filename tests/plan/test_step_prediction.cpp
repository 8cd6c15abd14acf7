#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "model/networks.hpp"
#include "plan/device_rates.hpp"
#include "plan/step_prediction.hpp"

namespace convoy {
namespace {

// A device whose backward takes 10 ms and completes a gradient of 100 elements in three parts.
DeviceStep three_parts() {
  return {.input = 0.001,
          .forward = 0.005,
          .backward = 0.010,
          .update = 0.002,
          .ready = {
              {.end = 60, .seconds = 0.002}, {.end = 90, .seconds = 0.006}, {.end = 100, .seconds = 0.010}}};
}

// Sums without latency that take `seconds_per_element`.
RankNetwork network_with(double seconds_per_element) {
  RankNetwork network{.ranks = 2, .ranks_per_node = 2};
  network.node = {.latency = 0, .bandwidth = 4 / seconds_per_element};  // a ring of two sends the bytes once
  return network;
}

TEST(StepPrediction, OneRankHasNothingToSum) {
  const StepPrediction step = predict_step({.device = three_parts(), .buckets = {{0, 60}, {60, 100}}});
  EXPECT_EQ(step.exposed, 0);
  EXPECT_DOUBLE_EQ(step.seconds(), 0.018);
}

TEST(StepPrediction, BucketsFollowEachOtherByHand) {
  // 0.1 ms an element: [0, 60) from 2 to 8 ms, [60, 90) ready at 6, from 8 to 11, [90, 100) from 11 to 12.
  const StepPrediction step = predict_step({.device = three_parts(),
                                            .buckets = {{0, 60}, {60, 90}, {90, 100}},
                                            .network = network_with(1e-4),
                                            .algorithm = SumAlgorithm::ring});
  ASSERT_EQ(step.buckets.size(), 3U);
  EXPECT_NEAR(step.buckets[0].end, 0.008, 1e-12);
  EXPECT_NEAR(step.buckets[1].begin, 0.008, 1e-12);
  EXPECT_NEAR(step.buckets[2].end, 0.012, 1e-12);
  EXPECT_NEAR(step.exposed, 0.002, 1e-12);
  EXPECT_NEAR(step.sums, 0.010, 1e-12);
  EXPECT_NEAR(step.hidden, 0.008, 1e-12);
}

TEST(StepPrediction, FastSumsLeaveTheLastBucketAlone) {
  const StepPrediction step = predict_step({.device = three_parts(),
                                            .buckets = {{0, 60}, {60, 90}, {90, 100}},
                                            .network = network_with(1e-5),
                                            .algorithm = SumAlgorithm::ring});
  EXPECT_NEAR(step.exposed, 10 * 1e-5, 1e-12);
}

TEST(StepPrediction, AGpuUpdatesWhileItWaits) {
  StepInput input{.device = three_parts(),
                  .buckets = {{0, 60}, {60, 90}, {90, 100}},
                  .network = network_with(1e-4),
                  .algorithm = SumAlgorithm::ring,
                  .updates_early = true};
  // 2 ms of waiting cover 2 ms of updating, but for the tenth that is summed last.
  EXPECT_NEAR(predict_step(input).update, 0.0002, 1e-12);
  input.updates_early = false;
  EXPECT_NEAR(predict_step(input).update, 0.002, 1e-12);
}

TEST(StepPrediction, PolledSumsOfANodeAreWorkOfTheComputingThread) {
  const StepPrediction step = predict_step({.device = three_parts(),
                                            .buckets = {{0, 60}, {60, 100}},
                                            .network = network_with(1e-4),
                                            .algorithm = SumAlgorithm::direct,
                                            .progress = SumProgress::polled});
  EXPECT_NEAR(step.exposed, 0.010, 1e-9);
  EXPECT_EQ(step.hidden, 0);
}

TEST(StepPrediction, AThreadWithoutACoreMakesBackwardLonger) {
  StepInput input{.device = three_parts(),
                  .buckets = {{0, 60}, {60, 90}, {90, 100}},
                  .network = network_with(1e-5),
                  .algorithm = SumAlgorithm::direct,
                  .progress = SumProgress::sharing};
  // 1 ms of work, all but the last bucket's 0.1 ms during backward.
  const StepPrediction step = predict_step(input);
  EXPECT_NEAR(step.backward, 0.0109, 1e-6);
  EXPECT_NEAR(step.exposed, 0.0001, 1e-6);
  // A slow network is no work: it hides behind backward as it would beside it.
  input.network = {.ranks = 2, .ranks_per_node = 1};
  input.network.node = {.latency = 0, .bandwidth = 1e12};
  input.network.network = {.latency = 0, .bandwidth = 4 / 1e-4};
  StepInput beside = input;
  beside.progress = SumProgress::beside;
  EXPECT_NEAR(predict_step(input).seconds(), predict_step(beside).seconds(), 1e-6);
}

// The same by a simulation in small steps of time, with random devices, buckets and links.
double exposed_by_clock(const StepInput& input) {
  constexpr double tick = 2e-6;
  std::size_t next = 0;
  double left = -1, now = 0;  // left: seconds of the sum under way; -1: none
  for (;; now += tick) {
    if (left < 0 && next < input.buckets.size() &&
        ready_seconds(input.device.ready, input.buckets[next].end) <= now) {
      const double bytes = 4.0 * static_cast<double>(input.buckets[next].end - input.buckets[next].begin);
      left = sum_cost(input.algorithm, input.network, bytes).seconds();
    }
    if (left < 0) continue;
    left -= tick;
    if (left > 0) continue;
    left = -1;
    if (++next == input.buckets.size()) break;
  }
  return std::max(0.0, now - input.device.backward);
}

TEST(StepPrediction, AgreesWithAClock) {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> real(0.1, 1);
  for (int round = 0; round < 20; ++round) {
    StepInput input{.algorithm = SumAlgorithm::ring};
    input.device.backward = 0.02 * real(random);
    constexpr std::size_t elements = 1'000'000;
    for (int i = 1; i <= 5; ++i)
      input.device.ready.push_back({.end = elements / 5 * static_cast<std::size_t>(i),
                                    .seconds = input.device.backward * std::pow(i / 5.0, 2 * real(random))});
    std::ranges::sort(input.device.ready, {}, &ReadyPoint::seconds);
    for (std::size_t i = 0; i < 5; ++i) input.device.ready[i].end = elements / 5 * (i + 1);
    input.buckets = plan_buckets(elements, 1 << 19);
    input.network = {.ranks = 8, .ranks_per_node = 4};
    input.network.node = {.latency = 5e-6, .bandwidth = 100e9};
    input.network.network = {.latency = 2e-5 * real(random), .bandwidth = 1e9 * real(random)};
    // Each bucket may begin a tick late.
    EXPECT_NEAR(predict_step(input).exposed, exposed_by_clock(input), 2e-6 * 20) << "round " << round;
  }
}

TEST(StepPrediction, BucketsAreTheTrainersAndHoldEveryParameter) {
  for (const std::string& name : network_names()) {
    const NetSpec network = make_network(name);
    const ParameterTable table(network);
    const std::vector<ReadyPoint> ready = ready_by_arithmetic(network, table);
    ASSERT_FALSE(ready.empty());
    EXPECT_EQ(ready.back().end, table.size()) << name;
    EXPECT_LE(ready.back().seconds, 1 + 1e-12) << name;
    EXPECT_GT(ready.front().seconds, 0) << name;
    std::size_t elements = 0;
    for (const Bucket& bucket : plan_buckets(table.size(), bucket_bytes))
      elements += bucket.end - bucket.begin;
    EXPECT_EQ(elements, table.size()) << name;
  }
}

// AlexNet's fully connected layers come first in backward: most of the gradient is ready early.
TEST(StepPrediction, FullyConnectedLayersAreReadyFirst) {
  const NetSpec network = make_network("alexnet-owt");
  const ParameterTable table(network);
  const std::vector<ReadyPoint> ready = ready_by_arithmetic(network, table);
  EXPECT_LT(ready_seconds(ready, table.size() * 95 / 100), 0.1);
}

}  // namespace
}  // namespace convoy
