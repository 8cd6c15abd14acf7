// Whole training runs on GPUs through the C++ interface: the CPU's losses, checkpoints that go from one
// engine to the other, resuming bit for bit, and what must not change a run (recorded steps, the transport,
// accumulation).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <tuple>

#include "model/networks.hpp"
#include "support/mpi_test.hpp"
#include "system/bad_gradient.hpp"
#include "system/serial_run.hpp"
#include "system/tiny_run.hpp"
#include "train/resolved_run.hpp"

namespace convoy::test {
namespace {

class GpuTraining : public testing::Test {
 protected:
  GpuTraining() : folder_(world()) {}

  void SetUp() override {
    if (const std::string reason = why_no_gpus(world()); !reason.empty()) GTEST_SKIP() << reason;
    write_tiny_store(folder_ / "store", {}, world());
  }

  // 18 images in batches of 8, 8 and 2: the last is uneven, and so is each rank's part of it with 3 ranks.
  // Results are looked at every third step: in between the host runs ahead.
  TrainConfiguration on(DeviceKind device, const std::string& output) const {
    TrainConfiguration configuration = tiny_configuration(folder_, output);
    configuration.device = device;
    configuration.deterministic = true;
    configuration.epochs = 3;
    configuration.log_every = 3;
    configuration.evaluate_every = configuration.checkpoint_every = {};
    return configuration;
  }
  TrainConfiguration on_gpu(const std::string& output) const { return on(DeviceKind::cuda, output); }

  static Records run(const TrainConfiguration& configuration) {
    Recorder recorder;
    EXPECT_EQ(train(configuration, world(), recorder).code, ExitCode::done);
    return recorder;
  }

  // Equal losses, and the weights at the same place: to `tolerance` of a loss, and of the way the weights
  // went.
  void expect_alike(const TrainConfiguration& left, const Records& left_run, const TrainConfiguration& right,
                    const Records& right_run, double tolerance, int classes = 3) const {
    if (world().rank() != 0) return;
    ASSERT_EQ(left_run.steps.size(), right_run.steps.size());
    for (std::size_t i = 0; i < left_run.steps.size(); ++i) {
      EXPECT_NEAR(left_run.steps[i].loss / right_run.steps[i].loss, 1, tolerance)
          << "step " << left_run.steps[i].step;
      EXPECT_EQ(left_run.steps[i].samples, right_run.steps[i].samples);
    }
    ASSERT_EQ(left_run.validations.size(), right_run.validations.size());
    for (std::size_t i = 0; i < left_run.validations.size(); ++i)
      EXPECT_NEAR(left_run.validations[i].loss / right_run.validations[i].loss, 1, tolerance);
    const std::int64_t last = left_run.steps.back().step;
    const std::vector<float> first = load(left.output, 0, left, classes).parameters;
    const std::vector<float> a = load(left.output, last, left, classes).parameters;
    const std::vector<float> b = load(right.output, last, right, classes).parameters;
    const double moved = distance(first, a);
    EXPECT_GT(moved, 0);
    EXPECT_LT(distance(a, b), tolerance * moved);
  }

  // Writes the checkpoint of step 0, from which the way of the weights is measured.
  void write_start(TrainConfiguration configuration) const {
    configuration.steps = 0;
    configuration.keep = 0;
    run(configuration);
  }

  // Whether two runs wrote the same bits, apart from the options recorded in their checkpoints.
  void expect_same_bits(const TrainConfiguration& left, const TrainConfiguration& right,
                        std::int64_t step) const {
    if (world().rank() != 0) return;
    const Checkpoint a = load(left.output, step, left), b = load(right.output, step, right);
    EXPECT_TRUE(a.parameters == b.parameters);
    EXPECT_TRUE(a.optimizer == b.optimizer);
    EXPECT_EQ(a.header.schedule_state, b.header.schedule_state);
    EXPECT_EQ(a.header.loss_scale, b.header.loss_scale);
  }

  SharedFolder folder_;
};

// Same crops, same masks, float32 sums in another order: 1e-3 over ten steps as promised.
constexpr double fp32_tolerance = 1e-3;

TEST_F(GpuTraining, EqualsSerialTrainingOnTheCpu) {
  const TrainConfiguration gpu = on_gpu("gpu");
  const ResolvedRun setup = resolve_run(gpu, world());
  const Records recorder = run([&] {
    TrainConfiguration every_step = gpu;
    every_step.log_every = 1;
    return every_step;
  }());
  world().on_rank_zero([&] {
    ResolvedRun on_cpu = setup;
    on_cpu.configuration.device = DeviceKind::cpu;
    const SerialRun serial = train_serially(on_cpu);
    EXPECT_EQ(recorder.steps.size(), serial.losses.size());
    for (std::size_t i = 0; i < std::min(recorder.steps.size(), serial.losses.size()); ++i)
      EXPECT_NEAR(recorder.steps[i].loss / serial.losses[i], 1, fp32_tolerance) << "step " << i + 1;
    const Checkpoint checkpoint = load(gpu.output, 9, gpu);
    const double moved = distance(serial.first, serial.last);
    EXPECT_LT(distance(checkpoint.parameters, serial.last), fp32_tolerance * moved);
    return std::string();
  });
}

TEST_F(GpuTraining, PredictionsCountAsTheMetricsDo) {
  expect_predictions_fit(run(on_gpu("predicted")), world());
}

// A run that is begun on one engine goes on upon the other as if nothing had happened.
TEST_F(GpuTraining, CheckpointsGoFromOneEngineToTheOther) {
  const TrainConfiguration straight = on(DeviceKind::cpu, "straight");
  write_start(straight);
  TrainConfiguration go_on = straight;
  go_on.resume = "auto";
  const Records reference = run(go_on);
  for (const DeviceKind first : {DeviceKind::cpu, DeviceKind::cuda}) {
    const bool from_cpu = first == DeviceKind::cpu;
    TrainConfiguration half = on(first, from_cpu ? "to-gpu" : "to-cpu");
    half.steps = 5;  // in mid-epoch
    run(half);
    TrainConfiguration rest =
        on(from_cpu ? DeviceKind::cuda : DeviceKind::cpu, from_cpu ? "to-gpu" : "to-cpu");
    rest.resume = "auto";
    Records both = run(rest);
    if (world().rank() != 0) continue;
    EXPECT_EQ(both.steps.back().step, 9);
    EXPECT_NEAR(both.steps.back().loss / reference.steps.back().loss, 1, fp32_tolerance);
    const std::vector<float> start = load(straight.output, 0, straight).parameters;
    const std::vector<float> expected = load(straight.output, 9, straight).parameters;
    EXPECT_LT(distance(load(rest.output, 9, rest).parameters, expected),
              fp32_tolerance * distance(start, expected));
  }
}

TEST_F(GpuTraining, ResumesBitForBit) {
  for (const Precision precision : {Precision::fp32, Precision::fp16}) {
    const std::string name = precision == Precision::fp32 ? "fp32" : "fp16";
    TrainConfiguration straight = on_gpu("straight-" + name);
    straight.precision = precision;
    straight.optimizer.rule = OptimizerRule::adam;
    straight.schedule.rate.first = 1e-3;
    run(straight);
    TrainConfiguration pieces = straight;
    pieces.output = (folder_ / ("pieces-" + name)).string();
    pieces.steps = 4;
    run(pieces);
    pieces.steps = -1;
    pieces.resume = "auto";
    run(pieces);
    if (world().rank() == 0) expect_same(load(straight.output, 9, straight), load(pieces.output, 9, pieces));
  }
}

// A stop that comes at any time is agreed upon while steps are under way, and nothing of them is lost.
TEST_F(GpuTraining, StopsAndGoesOnBitForBit) {
  TrainConfiguration straight = on_gpu("straight");
  straight.epochs = 4;
  straight.log_every = 5;
  run(straight);
  TrainConfiguration pieces = straight;
  pieces.output = (folder_ / "pieces").string();
  Recorder recorder;
  recorder.stop_at = 5;
  const TrainingResult stopped = train(pieces, world(), recorder);
  EXPECT_EQ(stopped.code, ExitCode::stopped);
  EXPECT_GE(stopped.step, 6);
  EXPECT_LE(stopped.step, 9);  // acted upon three steps after it was asked for
  pieces.resume = "auto";
  run(pieces);
  if (world().rank() == 0) expect_same(load(straight.output, 12, straight), load(pieces.output, 12, pieces));
}

TEST_F(GpuTraining, StopsBeforeItsDeadline) {
  TrainConfiguration configuration = on_gpu("deadline");
  configuration.epochs = 100'000;
  configuration.deadline = {.kind = Deadline::Kind::after, .seconds = 4, .text = "4s"};
  Recorder recorder;
  const TrainingResult stopped = train(configuration, world(), recorder);
  EXPECT_EQ(stopped.code, ExitCode::stopped);
  EXPECT_NE(stopped.text.find("before --deadline 4s"), std::string::npos) << stopped.text;
  if (world().rank() != 0) return;
  EXPECT_EQ(load(configuration.output, stopped.step, configuration).header.step, stopped.step);
}

// Algorithms are measured once for a machine; a stop ends measuring, and the run ends as after any stop.
TEST_F(GpuTraining, MeasuresAlgorithmsOnceAndNotAfterAStop) {
  ASSERT_EQ(::setenv("XDG_CACHE_HOME", (folder_ / "cache").c_str(), 1), 0);
  const auto from = [](const Records& records, DecisionSource source) {
    return std::ranges::count(records.tuning, source, &Decision::source);
  };
  TrainConfiguration configuration = on_gpu("measured");
  configuration.deterministic = false;
  configuration.resume = "auto";
  Recorder stopped;
  stopped.stop = true;
  EXPECT_EQ(train(configuration, world(), stopped).code, ExitCode::stopped);
  const Records measured = run(configuration);  // from the checkpoint that the stop left
  configuration.resume = "none";
  configuration.output = (folder_ / "kept").string();
  const Records kept = run(configuration);
  if (world().rank() != 0) return;
  EXPECT_FALSE(stopped.tuning.empty());
  EXPECT_EQ(from(stopped, DecisionSource::measured), 0);
  EXPECT_GT(measured.starts.at(0).step, 0);
  EXPECT_GT(from(measured, DecisionSource::measured), 0);
  EXPECT_TRUE(std::ranges::any_of(measured.tuning,
                                  [](const Decision& decision) { return decision.what == "fc8, forward"; }));
  EXPECT_EQ(from(kept, DecisionSource::measured), 0);
  EXPECT_EQ(from(kept, DecisionSource::kept), from(measured, DecisionSource::measured));
}

TEST_F(GpuTraining, RecordedStepsAreTheSameBits) {
  TrainConfiguration recorded = on_gpu("recorded"), told = on_gpu("told");
  recorded.cuda_graph = GraphUse::on;
  told.cuda_graph = GraphUse::off;
  run(recorded);
  run(told);
  expect_same_bits(recorded, told, 9);
}

TEST_F(GpuTraining, StagedShardsAreTheSameBits) {
  TrainConfiguration plain = on_gpu("plain"), staged = on_gpu("staged");
  staged.stage = folder_ / "local";
  world().on_rank_zero([&] {
    std::filesystem::create_directory(staged.stage);
    return std::string();
  });
  run(plain);
  run(staged);
  expect_same_bits(plain, staged, 9);
}

TEST_F(GpuTraining, TheTransportDoesNotMatter) {
  if (world().size() == 1) GTEST_SKIP() << "needs two ranks";
  TrainConfiguration nccl = on_gpu("nccl"), mpi = on_gpu("mpi");
  nccl.collective = CollectiveKind::nccl;
  mpi.collective = CollectiveKind::mpi;
  write_start(nccl);
  nccl.resume = "auto";
  const Records by_nccl = run(nccl), by_mpi = run(mpi);
  // Sums of two numbers are the same in any order; of more they differ in the last bits.
  expect_alike(nccl, by_nccl, mpi, by_mpi, 1e-5);
  if (world().rank() == 0) {
    EXPECT_EQ(by_mpi.starts.at(0).collective, "mpi");
  }
}

TEST_F(GpuTraining, ANarrowWireLearnsAlike) {
  if (world().size() == 1) GTEST_SKIP() << "needs two ranks";
  TrainConfiguration wide = on_gpu("wide"), narrow = on_gpu("narrow");
  narrow.wire = WirePrecision::bf16;
  write_start(wide);
  wide.resume = "auto";
  // Each gradient is off by up to P · 2^-9 of the ranks' parts.
  expect_alike(wide, run(wide), narrow, run(narrow), world().size() / 512.0);
}

TEST_F(GpuTraining, AccumulationEqualsWholeBatches) {
  TrainConfiguration whole = on_gpu("whole"), parts = on_gpu("parts");
  parts.accumulate = 2;
  write_start(whole);
  whole.resume = "auto";
  const Records in_whole = run(whole), in_parts = run(parts);
  expect_alike(whole, in_whole, parts, in_parts, fp32_tolerance);
}

TEST_F(GpuTraining, NarrowerPrecisionsLearnAlike) {
  TrainConfiguration full = on_gpu("fp32");
  const Records in_full = run(full);
  for (const auto& [precision, name, bits] : {std::tuple{Precision::tf32, "tf32", 10},
                                              {Precision::bf16, "bf16", 7},
                                              {Precision::fp16, "fp16", 10}}) {
    if (!precision_refusal(DeviceKind::cuda, precision).empty()) continue;
    TrainConfiguration narrow = on_gpu(name);
    narrow.precision = precision;
    const Records in_narrow = run(narrow);
    if (world().rank() != 0) continue;
    // Activations are off by half a unit in the last place each, the mean loss by a few of these.
    for (std::size_t i = 0; i < in_full.steps.size(); ++i)
      EXPECT_NEAR(in_narrow.steps.at(i).loss / in_full.steps[i].loss, 1, 4 * std::ldexp(1, -bits))
          << name << ", step " << in_full.steps[i].step;
  }
}

// With a loss scale beyond fp16's range gradients overflow: those steps are left out and the scale is halved
// until they fit, the same on every rank.
TEST_F(GpuTraining, AnOverflowIsSkipped) {
  TrainConfiguration configuration = on_gpu("run");
  configuration.precision = Precision::fp16;
  configuration.steps = 2;
  run(configuration);
  constexpr double too_large = 1 << 24;
  world().on_rank_zero([&] {
    Checkpoint checkpoint = load(configuration.output, 2, configuration);
    EXPECT_EQ(checkpoint.header.loss_scale, LossScale::first);
    checkpoint.header.loss_scale = too_large;
    const NetSpec network = make_network(configuration.model, {.classes = 3, .dropout = {}});
    write_checkpoint(std::filesystem::path(configuration.output) / "checkpoints" / checkpoint_name(2),
                     ParameterTable(network), checkpoint);
    return std::string();
  });
  configuration.steps = 18;
  configuration.resume = "auto";
  const Records recorder = run(configuration);
  if (world().rank() != 0) return;
  const std::vector<EventRecord> overflows = recorder.events_of("overflow");
  ASSERT_GE(overflows.size(), 2U);
  ASSERT_LE(overflows.size(), 10U);  // in the end it learns
  EXPECT_EQ(overflows[0].step, 3);
  EXPECT_NE(overflows[0].text.find("16777216"), std::string::npos) << overflows[0].text;
  const Checkpoint before = load(configuration.output, 2, configuration);
  const Checkpoint after = load(configuration.output, 18, configuration);
  EXPECT_EQ(after.header.loss_scale, too_large / std::ldexp(1, static_cast<int>(overflows.size())));
  EXPECT_FALSE(before.parameters == after.parameters);
  for (const float value : after.parameters) ASSERT_TRUE(std::isfinite(value));
}

// A GPU has gone on for two steps when it is known, and may have updated parameters beside backward.
TEST_F(GpuTraining, AGradientThatIsNotFiniteEndsTheRunAndNothingIsWritten) {
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    TrainConfiguration configuration = on_gpu(precision == Precision::fp32 ? "fp32" : "bf16");
    configuration.precision = precision;
    expect_bad_gradient_to_end_runs(configuration, world());
  }
}

TEST_F(GpuTraining, DivergenceEndsTheRun) {
  for (const Precision precision : {Precision::fp32, Precision::fp16}) {
    TrainConfiguration configuration = on_gpu(precision == Precision::fp32 ? "fp32" : "fp16");
    configuration.precision = precision;
    configuration.epochs = 6;
    configuration.schedule.rate.later = {{1, 1e30}};
    Recorder recorder;
    const TrainingResult result = train(configuration, world(), recorder);
    EXPECT_EQ(result.code, ExitCode::diverged);
    EXPECT_NE(result.text.find("--lr"), std::string::npos) << result.text;
  }
}

}  // namespace
}  // namespace convoy::test
