#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "plan/calibration.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

class CalibrationFiles : public testing::Test {
 protected:
  std::filesystem::path file(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path;
  }
  TemporaryFolder folder_;
};

constexpr const char* step_text = R"({"benchmark": "step", "version": 1, "model": "alexnet-owt",
  "precision": "fp32", "optimizer": "sgd", "batch": 64, "threads": 2, "cores": 4, "device": "cpu",
  "images_per_second": 32, "seconds": {"input": 0, "forward": 0.5, "backward": 1.4, "update": 0.1, "step": 2.0},
  "ready": [{"end": 100, "seconds": 0.1}, {"end": 300, "seconds": 1.4}]})";

TEST_F(CalibrationFiles, AStepOfTheBenchmark) {
  Calibration calibration;
  read_calibration(file("step.json", step_text), calibration);
  ASSERT_EQ(calibration.steps.size(), 1U);
  const MeasuredStep& step = calibration.steps[0];
  EXPECT_EQ(step.model, "alexnet-owt");
  EXPECT_EQ(step.rows, 64);
  EXPECT_EQ(step.threads, 2);
  EXPECT_EQ(step.cores, 4);
  EXPECT_DOUBLE_EQ(step.seconds.backward, 1.4);
  ASSERT_EQ(step.seconds.ready.size(), 2U);
  EXPECT_EQ(step.seconds.ready[1].end, 300U);
}

TEST_F(CalibrationFiles, ARunOfOneRank) {
  file("run/run.json", R"({"format": "convoy-run", "model": "alexnet-cifar", "configuration": {
    "global-batch": "128", "precision": "fp32"}, "topology": {"ranks": 1, "threads_per_rank": 2, "device": "cpu"}})");
  std::string lines;
  for (const double factor : {9.0, 1.0, 1.0, 2.0})  // the first one warms up
    lines += fmt::format(
        R"({{"kind": "step", "step": 1, "images_per_second": 1, "seconds": {{"input": 0, "forward": {}, "backward": {}, "exposed": 0, "update": {}}}}})"
        "\n",
        0.1 * factor, 0.2 * factor, 0.01 * factor);
  file("run/metrics.jsonl", lines);
  Calibration calibration;
  read_calibration(folder_ / "run", calibration);
  read_calibration(folder_ / "run" / "metrics.jsonl", calibration);
  ASSERT_EQ(calibration.steps.size(), 2U);
  EXPECT_EQ(calibration.steps[0].rows, 128);
  EXPECT_DOUBLE_EQ(calibration.steps[0].seconds.forward, 0.1);
  EXPECT_DOUBLE_EQ(calibration.steps[1].seconds.update, 0.01);
}

TEST_F(CalibrationFiles, WhatIsNoneIsRefused) {
  Calibration calibration;
  const auto refused = [&](ExitCode code, const std::string& part, const std::string& text) {
    expect_error(code, {part}, [&] { read_calibration(file("bad.json", text), calibration); });
  };
  refused(ExitCode::usage, "benchmark_step --json", "no JSON");
  refused(ExitCode::usage, "benchmark_step --json", "[1, 2]");
  refused(ExitCode::usage, "benchmark_step --json", R"({"benchmark": "sleep"})");
  refused(ExitCode::bad_data, "version 2", R"({"benchmark": "step", "version": 2})");
  refused(ExitCode::bad_data, "'seconds'", R"({"benchmark": "step", "version": 1, "batch": 3})");
  refused(ExitCode::bad_data, "'batch'", R"({"benchmark": "step", "version": 1, "batch": 0, "seconds": {}})");
  refused(ExitCode::bad_data, "'forward'",
          R"({"benchmark": "step", "version": 1, "batch": 8, "seconds": {"input": 0, "forward": "1"}})");
  refused(ExitCode::bad_data, "1 ranks",
          R"({"benchmark": "allreduce", "version": 1, "ranks": 1, "hosts": 1, "rows": []})");
  expect_error(ExitCode::io, {"nowhere"}, [&] { read_calibration(folder_ / "nowhere", calibration); });
  expect_error(ExitCode::usage, {}, [&] { read_calibration(folder_.path(), calibration); });
  file("four/run.json", R"({"format": "convoy-run", "topology": {"ranks": 4}})");
  expect_error(ExitCode::usage, {"4 ranks"}, [&] { read_calibration(folder_ / "four", calibration); });
}

TEST_F(CalibrationFiles, ARunWithADamagedRecordIsRefused) {
  Calibration calibration;
  const std::string line =
      R"({"kind": "step", "step": 1, "seconds": {"input": 0, "forward": 0.1, "backward": 0.2, "update": 0.1}})"
      "\n";
  const auto refused = [&](const std::string& part, const std::string& configuration,
                           const std::string& metrics) {
    file("run/run.json", R"({"format": "convoy-run", "model": "alexnet", "configuration": {)" +
                             configuration + R"(}, "topology": {"ranks": 1}})");
    file("run/metrics.jsonl", metrics);
    expect_error(ExitCode::bad_data, {part}, [&] { read_calibration(folder_ / "run", calibration); });
  };
  refused("accumulate", R"("accumulate": "0")", line);
  refused("accumulate", R"("accumulate": "many")", line);
  refused("global-batch", R"("global-batch": "-5")", line);
  refused("backward", "",
          R"({"kind": "step", "step": 1, "seconds": {"input": 0, "forward": 0.1}})"
          "\n");
}

TEST_F(CalibrationFiles, NumbersThatAreNoneOfTheirKindAreRefused) {
  Calibration calibration;
  const auto refused = [&](const std::string& part, const std::string& text) {
    expect_error(ExitCode::bad_data, {part}, [&] { read_calibration(file("bad.json", text), calibration); });
  };
  refused("'batch'",
          R"({"benchmark": "step", "version": 1, "batch": 1e300, "seconds": {"input": 0, "forward": 1,
              "backward": 1, "update": 0}})");
  refused("'ranks'", R"({"benchmark": "allreduce", "version": 1, "ranks": 1e12, "hosts": 2, "rows": []})");
  refused("'end'",
          R"({"benchmark": "step", "version": 1, "batch": 8, "seconds": {"input": 0, "forward": 1,
              "backward": 1, "update": 0}, "ready": [{"end": 1e30, "seconds": 1}]})");
}

// Sums that follow the formulas exactly must give the link back.
TEST(LinkFit, FindsTheLinkOfExactTimes) {
  for (const SumAlgorithm algorithm : {SumAlgorithm::ring, SumAlgorithm::tree, SumAlgorithm::direct}) {
    const Link link{.latency = 20e-6, .bandwidth = 3e9};
    std::vector<MeasuredSums> all;
    for (const auto& [ranks, hosts] : std::vector<std::pair<int, int>>{{4, 1}, {4, 4}}) {
      MeasuredSums sums{.ranks = ranks, .hosts = hosts};
      RankNetwork network{.ranks = ranks, .ranks_per_node = ranks / hosts};
      network.node = hosts == 1 ? link : Link{.latency = 0, .bandwidth = 1e18};
      network.network = link;
      for (double bytes = 1e5; bytes < 1e7; bytes *= 2)
        sums.rows.push_back({"convoy", bytes, sum_cost(algorithm, network, bytes).seconds()});
      all.push_back(sums);
    }
    for (const bool several : {false, true}) {
      const LinkFit fit = fit_link(all, algorithm, "convoy", several, 0);
      EXPECT_EQ(fit.points, all[0].rows.size());
      EXPECT_NEAR(fit.link.latency, link.latency, 1e-3 * link.latency);
      EXPECT_NEAR(fit.link.bandwidth, link.bandwidth, 1e-3 * link.bandwidth);
      EXPECT_LT(fit.worst_error, 1e-3);
    }
  }
}

TEST(LinkFit, CountsOnlyWhatWasAskedFor) {
  const std::vector<MeasuredSums> sums = {
      {.ranks = 2,
       .hosts = 1,
       .rows = {{"convoy", 1e6, 1e-3}, {"mpi_allreduce", 1e6, 5e-3}, {"convoy", 10, 1}}}};
  const LinkFit fit = fit_link(sums, SumAlgorithm::direct, "convoy", false, 1e5);
  EXPECT_EQ(fit.points, 1U);
  EXPECT_NEAR(fit.link.bandwidth, 1e9, 1);
  EXPECT_EQ(fit_link(sums, SumAlgorithm::direct, "nccl", false, 0).points, 0U);
  EXPECT_EQ(fit_link(sums, SumAlgorithm::direct, "convoy", true, 0).points, 0U);
}

MeasuredStep measured(int rows, double forward, double update) {
  MeasuredStep step{.source = "test", .model = "alexnet", .rows = rows, .threads = 2, .cores = 2};
  step.seconds = {.forward = forward, .backward = 2 * forward, .update = update};
  return step;
}

TEST(DeviceRates, TwoBatchesGiveWhatDoesNotDependOnThem) {
  const std::vector<MeasuredStep> steps = {measured(10, 0.2, 0.05), measured(90, 1.0, 0.05)};
  const DeviceRates rates = fit_device_rates(steps);
  EXPECT_NEAR(rates.forward.fixed, 0.1, 1e-9);
  EXPECT_NEAR(rates.forward.per_row, 0.01, 1e-9);
  EXPECT_NEAR(rates.worst_error, 0, 1e-9);
  EXPECT_NEAR(device_step(rates, 40, 1).backward, 1.0, 1e-9);
  EXPECT_NEAR(device_step(rates, 40, 2).backward, 2.0, 1e-9);
  EXPECT_NEAR(device_step(rates, 40, 1).update, 0.05, 1e-9);
}

TEST(DeviceRates, OneBatchIsProportional) {
  const std::vector<MeasuredStep> steps = {measured(10, 0.2, 0.05)};
  const DeviceRates rates = fit_device_rates(steps);
  EXPECT_EQ(rates.forward.fixed, 0);
  EXPECT_NEAR(device_step(rates, 5, 1).forward, 0.1, 1e-9);
  EXPECT_NEAR(device_step(rates, 5, 1).update, 0.05, 1e-9);
}

TEST(DeviceRates, AMixtureIsRefused) {
  std::vector<MeasuredStep> steps = {measured(10, 0.2, 0.05), measured(20, 0.2, 0.05)};
  steps[1].model = "alexnet-owt";
  expect_error(ExitCode::usage, {"the network", "alexnet-owt"}, [&] { fit_device_rates(steps); });
}

TEST(DeviceRates, RanksShareCores) {
  EXPECT_EQ(core_share(1, 2, 2), 1);
  EXPECT_EQ(core_share(2, 2, 2), 2);  // measured with both cores, which two ranks now share
  EXPECT_EQ(core_share(2, 1, 2), 1);  // measured with one
  EXPECT_EQ(core_share(4, 1, 2), 2);
  EXPECT_EQ(core_share(8, 0, 0), 1);  // a GPU each
}

}  // namespace
}  // namespace convoy::test
