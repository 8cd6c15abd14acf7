#include <gtest/gtest.h>

#include "model/networks.hpp"
#include "plan/job_plan.hpp"
#include "plan/plan_text.hpp"
#include "plan/run_schedule.hpp"
#include "support/expect_error.hpp"

namespace convoy::test {
namespace {

constexpr DataSizes imagenet{
    .images = 1281167, .validation_images = 50000, .classes = 1000, .image_size = 256};

TrainConfiguration owt() {
  TrainConfiguration c;
  c.model = "alexnet-owt";
  c.global_batch = 256;
  c.epochs = 90;
  c.schedule.kind = ScheduleKind::step;
  c.schedule.step_epochs = 30;
  return c;
}

TEST(RunSchedule, StepsOfTheRecipe) {
  const RunSchedule schedule = plan_schedule(owt(), imagenet, 8);
  EXPECT_EQ(schedule.length.steps_per_epoch, 5005);
  EXPECT_EQ(schedule.length.last_step, 90 * 5005);
  ASSERT_EQ(schedule.stretches.size(), 3U);
  EXPECT_EQ(schedule.stretches[1].first_epoch, 30);
  EXPECT_EQ(schedule.stretches[1].epochs, 30);
  EXPECT_DOUBLE_EQ(schedule.stretches[0].first_rate, 0.01);
  EXPECT_NEAR(schedule.stretches[2].last_rate, 0.0001, 1e-12);
  EXPECT_EQ(schedule.evaluations, 90);
  EXPECT_EQ(schedule.checkpoints, 90);
}

TEST(RunSchedule, WarmUpAndCosineChangeInEachEpoch) {
  TrainConfiguration c = owt();
  c.schedule.kind = ScheduleKind::cosine;
  c.schedule.warmup_epochs = 5;
  c.epochs = 10;
  const RunSchedule schedule = plan_schedule(c, imagenet, 1);
  ASSERT_EQ(schedule.stretches.size(), 10U);
  EXPECT_EQ(schedule.stretches[0].first_rate, 0);
  EXPECT_GT(schedule.stretches[0].last_rate, 0);
  EXPECT_GT(schedule.stretches[5].first_rate, schedule.stretches[9].first_rate);
}

TEST(RunSchedule, IntervalsInStepsCountTheEndOnce) {
  TrainConfiguration c = owt();
  c.steps = 1000;
  c.checkpoint_every = {.count = 250, .epochs = false};
  c.evaluate_every = {.count = 0, .epochs = true};
  const RunSchedule schedule = plan_schedule(c, imagenet, 1);
  EXPECT_EQ(schedule.checkpoints, 4);  // after 250, 500, 750 and at the end
  EXPECT_EQ(schedule.evaluations, 1);
  DataSizes no_validation = imagenet;
  no_validation.validation_images = 0;
  EXPECT_EQ(plan_schedule(c, no_validation, 1).evaluations, 0);
}

TEST(RunSchedule, NeverIsNotEvenTheEnd) {
  TrainConfiguration c = owt();
  c.checkpoint_every = c.evaluate_every = {.count = 0, .epochs = true, .never = true};
  const RunSchedule schedule = plan_schedule(c, imagenet, 1);
  EXPECT_EQ(schedule.evaluations, 0);
  EXPECT_EQ(schedule.checkpoints, 0);
  const DiskPlan disk = plan_disk(c, schedule, imagenet, make_network("alexnet-owt"));
  EXPECT_EQ(disk.kept, 0);
  EXPECT_EQ(disk.most, 0);
}

TEST(RunSchedule, TooManyRanksAreRefusedAsTrainingDoes) {
  expect_error(ExitCode::usage, {"--global-batch 256", "512 ranks"},
               [] { plan_schedule(owt(), imagenet, 512); });
}

TEST(DiskPlan, KeepsTheNewestAndTheBest) {
  TrainConfiguration c = owt();
  const NetSpec network = make_network("alexnet-owt");
  const RunSchedule schedule = plan_schedule(c, imagenet, 1);
  DiskPlan disk = plan_disk(c, schedule, imagenet, network);
  EXPECT_EQ(disk.kept, 4);
  EXPECT_DOUBLE_EQ(disk.most, 5 * disk.checkpoint);
  EXPECT_NEAR(disk.checkpoint, 61100840.0 * 4 * 2, 0.01 * disk.checkpoint);
  c.evaluate_every.never = true;  // then no checkpoint is the best one
  c.evaluate_every.count = 0;
  disk = plan_disk(c, plan_schedule(c, imagenet, 1), imagenet, network);
  EXPECT_EQ(disk.kept, 3);
  c.keep = 0;
  disk = plan_disk(c, schedule, imagenet, network);
  EXPECT_EQ(disk.kept, 90);
  EXPECT_DOUBLE_EQ(disk.most, 90 * disk.checkpoint);
}

TEST(JobPlan, RequeuesUntilTheRunIsDone) {
  PlanRequest request{.configuration = owt(), .data = imagenet, .time_limit = 3600};
  const RunSchedule schedule = plan_schedule(request.configuration, imagenet, 1);
  StepPrediction step;
  step.forward = 0.1;
  const JobPlan job = plan_job(request, schedule, step, 0.1);
  EXPECT_NEAR(job.run_seconds, 450450 * 0.1 + 90 * 196 * 0.1, 1e-6);
  EXPECT_DOUBLE_EQ(job.usable_seconds, 3600 - 300 - 60);
  EXPECT_EQ(job.jobs, 15);
  request.time_limit = 300;
  expect_error(ExitCode::usage, {"--time-limit 00:05:00"}, [&] { plan_job(request, schedule, step, 0.1); });
}

TEST(JobPlan, TheLineKeepsTheOptionsAndQuotesThem) {
  PlanRequest request{.configuration = owt(),
                      .device = DeviceKind::cuda,
                      .time_limit = 43200,
                      .train_options = {{"config", "owt"}, {"output", "it's here"}}};
  RanksPlan on{.ranks = 16, .ranks_per_node = 8, .nodes = 2};
  EXPECT_EQ(submit_line(request, on),
            "sbatch --nodes=2 --ntasks-per-node=8 --cpus-per-task=3 --gpus-per-task=1 --time=12:00:00 "
            "cluster/train.sbatch --config owt --output 'it'\\''s here' --data STORE");
}

TEST(RunPlan, BytesOfBucketsAreThoseOfTheGradient) {
  for (const WirePrecision wire : {WirePrecision::fp32, WirePrecision::bf16}) {
    PlanRequest request{
        .configuration = owt(), .data = imagenet, .device = DeviceKind::cuda, .ranks = {8, 16}};
    request.configuration.wire = wire;
    request.images_per_second = 50000;
    request.links = {.bandwidth = 50e9, .node_bandwidth = 400e9};
    const RunPlan plan = make_plan(request);
    const std::size_t elements = ParameterTable(plan.network).size();
    double bytes = 0;
    for (const PlannedBucket& bucket : plan.buckets) bytes += bucket.bytes;
    EXPECT_DOUBLE_EQ(bytes, static_cast<double>(elements) * (wire == WirePrecision::fp32 ? 4 : 2));
    EXPECT_EQ(plan.buckets.front().layer, "fc8");
    EXPECT_EQ(plan.buckets.back().layer, "conv1");
    // A ring sends 2 (P−1)/P of them.
    EXPECT_NEAR(plan.ranks[0].traffic.rank, 2 * 7.0 / 8 * bytes, 1);
    EXPECT_EQ(plan.ranks[0].traffic.node, 0);
    EXPECT_NEAR(plan.ranks[1].traffic.node, 2 * 15.0 / 16 * bytes, 1);
    ASSERT_TRUE(plan.ranks[1].step);
    EXPECT_GT(plan.ranks[0].efficiency, plan.ranks[1].efficiency);
    EXPECT_LE(plan.ranks[0].efficiency, 1);
  }
}

TEST(RunPlan, SaysWhatItMisses) {
  PlanRequest request{.configuration = owt(), .data = imagenet, .device = DeviceKind::cuda, .ranks = {1, 16}};
  RunPlan plan = make_plan(request);
  EXPECT_FALSE(plan.ranks[0].step);
  EXPECT_NE(plan_to_text(request, plan).find("speed: not known"), std::string::npos);
  request.images_per_second = 1000;
  plan = make_plan(request);
  EXPECT_TRUE(plan.ranks[0].step);
  EXPECT_FALSE(plan.ranks[1].step);
  EXPECT_NE(plan_to_text(request, plan).find("pass --bandwidth"), std::string::npos);
}

TEST(RunPlan, NodesHaveTheSameNumberOfRanks) {
  PlanRequest request{.configuration = owt(), .data = imagenet, .device = DeviceKind::cuda, .ranks = {12}};
  expect_error(ExitCode::usage, {"--ranks 12", "--ranks-per-node 8"}, [&] { make_plan(request); });
}

}  // namespace
}  // namespace convoy::test
