// The records for other programs of whole runs: they change no bit of the training, TensorBoard's curves are
// those of metrics.jsonl also where a run was resumed, histograms are those of the weights, and the trace
// shows every rank with its sums beside backward.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/atomic_file.hpp"
#include "report/event_reader.hpp"
#include "report/trace_reader.hpp"
#include "support/mpi_test.hpp"
#include "system/record_checks.hpp"
#include "system/tiny_run.hpp"

namespace convoy::test {
namespace {

class RunRecords : public testing::Test {
 protected:
  RunRecords() : folder_(world()) { write_tiny_store(folder_ / "store", {}, world()); }

  // 18 images in batches of 8: 3 steps an epoch.
  TrainConfiguration recorded(const std::string& output) const {
    TrainConfiguration configuration = tiny_configuration(folder_, output);
    configuration.log_every = 2;
    configuration.tensorboard = configuration.mlperf_log = true;
    configuration.histogram_every = {.count = 2, .epochs = false};
    configuration.trace = (folder_ / output / "trace.json").string();
    configuration.trace_steps = {2, 4};
    return configuration;
  }

  static void finish(const TrainConfiguration& configuration) {
    Recorder recorder;
    EXPECT_EQ(train(configuration, world(), recorder).code, ExitCode::done);
  }

  SharedFolder folder_;
};

TEST_F(RunRecords, ChangeNoBit) {
  const TrainConfiguration plain = tiny_configuration(folder_, "plain"), with = recorded("recorded");
  finish(plain);
  finish(with);
  if (world().rank() == 0) expect_same(load(plain.output, 6, plain), load(with.output, 6, with));
}

TEST_F(RunRecords, HistogramsAreOfTheWeights) {
  const TrainConfiguration configuration = recorded("run");
  finish(configuration);
  if (world().rank() != 0) return;
  expect_histograms_of(load(configuration.output, 6, configuration), configuration);
  const std::vector<ReadEvent> events = read_events(configuration.output);
  EXPECT_EQ(std::ranges::count_if(events, [](const ReadEvent& event) { return !event.histograms.empty(); }),
            3);
  EXPECT_EQ(std::ranges::count_if(events, [](const ReadEvent& event) { return !event.images.empty(); }), 2)
      << "one picture of filters for each validation";
}

TEST_F(RunRecords, CurvesOfAResumedRunAreThoseOfTheMetrics) {
  TrainConfiguration configuration = recorded("run");
  configuration.epochs = 4;
  configuration.resume = "auto";
  {
    Recorder recorder;
    recorder.stop_at = 4;
    EXPECT_EQ(train(configuration, world(), recorder).code, ExitCode::stopped);
  }
  // As of an attempt that was killed: what it wrote goes beyond the newest checkpoint.
  world().on_rank_zero([&] {
    const std::filesystem::path checkpoints = std::filesystem::path(configuration.output) / "checkpoints";
    std::filesystem::remove(checkpoints / checkpoint_name(list_checkpoints(checkpoints).back()));
    EXPECT_GT(read_events(configuration.output).back().step, list_checkpoints(checkpoints).back());
    return std::string();
  });
  finish(configuration);
  if (world().rank() == 0) expect_curves_of_metrics(configuration.output);
}

TEST_F(RunRecords, TheTraceHasEveryRankAndThread) {
  const TrainConfiguration configuration = recorded("run");
  finish(configuration);
  if (world().rank() != 0) return;
  const ReadTrace trace = read_trace(read_text_file(configuration.trace));
  EXPECT_EQ(trace.first_step, 2);
  EXPECT_EQ(trace.last_step, 4);
  ASSERT_EQ(trace.processes.size(), static_cast<std::size_t>(world().size()));
  for (int rank = 0; rank < world().size(); ++rank) {
    EXPECT_TRUE(
        trace.processes[static_cast<std::size_t>(rank)].starts_with(fmt::format("rank {} on ", rank)));
    const std::vector<ReadInterval> steps = trace.all(rank, "steps", "step");
    ASSERT_EQ(steps.size(), 3U);
    for (std::size_t i = 0; i < 3; ++i)
      EXPECT_EQ(steps[i].numbers.at("step"), 2 + static_cast<std::int64_t>(i));
    for (const char* phase : {"wait for input", "stage", "forward", "backward", "exposed", "update"}) {
      const std::vector<ReadInterval> phases = trace.all(rank, "steps", phase);
      ASSERT_EQ(phases.size(), 3U) << phase;
      for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(steps[i].holds(phases[i])) << phase;
    }
    EXPECT_EQ(trace.all(rank, "steps", "conv1").size(), 6U) << "forward and backward";
    EXPECT_EQ(trace.all(rank, "steps", "validation").size(), 1U);  // behind step 3
    EXPECT_EQ(trace.all(rank, "steps", "compare replicas").size(), 1U);
    EXPECT_GE(trace.all(rank, "loader 1", "read and check").size(), 1U);
  }
  EXPECT_EQ(trace.all(0, "steps", "copy for a checkpoint").size(), 1U);
  EXPECT_EQ(trace.all(0, "checkpoints", "write checkpoint").size() +
                trace.all(0, "checkpoints", "write checkpoint (unfinished)").size(),
            1U);
}

// The network's 86 MB are 11 buckets, and fully connected layers, which hold most of them, come first in
// backward.
TEST_F(RunRecords, TheTraceShowsSumsBesideBackward) {
  if (world().size() == 1) GTEST_SKIP() << "one rank sums nothing";
  TrainConfiguration configuration = recorded("run");
  configuration.model = "alexnet-cifar";
  finish(configuration);
  if (world().rank() != 0) return;
  const ReadTrace trace = read_trace(read_text_file(configuration.trace));
  for (int rank = 0; rank < world().size(); ++rank) {
    const std::vector<ReadInterval> steps = trace.all(rank, "steps", "step");
    const std::vector<ReadInterval> backward = trace.all(rank, "steps", "backward");
    const std::vector<ReadInterval> sums = trace.all(rank, "all-reduce", "bucket");
    EXPECT_EQ(sums.size(), 3U * 11);
    for (const ReadInterval& sum : sums) {
      EXPECT_TRUE(std::ranges::any_of(steps, [&](const ReadInterval& step) { return step.holds(sum); }));
      EXPECT_TRUE(std::ranges::any_of(backward, [&](const ReadInterval& pass) {
        return pass.begin <= sum.begin && sum.begin <= pass.end;
      })) << "a sum starts during backward";
    }
    EXPECT_GT(shared_time(sums, backward), 0.1 * shared_time(backward, backward));
  }
}

TEST_F(RunRecords, AShortRunHasNoTraceAndSaysSo) {
  TrainConfiguration configuration = recorded("run");
  configuration.trace_steps = {11, 30};
  testing::internal::CaptureStderr();
  finish(configuration);
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_EQ(lines.find("no trace is written") != std::string::npos, world().rank() == 0) << lines;
  EXPECT_FALSE(std::filesystem::exists(configuration.trace));
}

// What was recorded when the run ended.
TEST_F(RunRecords, ATraceEndsWithTheRun) {
  TrainConfiguration configuration = recorded("run");
  configuration.trace_steps = {5, 30};
  finish(configuration);
  if (world().rank() != 0) return;
  const ReadTrace trace = read_trace(read_text_file(configuration.trace));
  EXPECT_EQ(trace.first_step, 5);
  EXPECT_EQ(trace.last_step, 6);
  EXPECT_EQ(trace.all(0, "steps", "step").size(), 2U);
}

TEST_F(RunRecords, ATraceThatCannotBeWrittenIsRefusedBeforeTraining) {
  TrainConfiguration configuration = recorded("run");
  configuration.trace = (folder_ / "store").string();
  Refusal refusal = refused(configuration, world());
  EXPECT_EQ(refusal.category, ExitCode::usage);
  EXPECT_NE(refusal.text.find("this is a folder"), std::string::npos) << refusal.text;
  configuration.trace = (folder_ / "store" / "store.json" / "trace.json").string();
  refusal = refused(configuration, world());
  EXPECT_EQ(refusal.category, ExitCode::io);
  EXPECT_NE(refusal.text.find("cannot make the folder"), std::string::npos) << refusal.text;
}

}  // namespace
}  // namespace convoy::test
