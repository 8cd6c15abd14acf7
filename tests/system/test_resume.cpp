// Stopping and going on: an interrupted run is the run that was never interrupted, bit for bit, in mid-epoch
// too; the schedule does not notice; what cannot be resumed is refused.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "support/mpi_test.hpp"
#include "system/tiny_run.hpp"

namespace convoy::test {
namespace {

class Resume : public testing::Test {
 protected:
  Resume() : folder_(world()) { write_tiny_store(folder_ / "store", tiny_, world()); }

  // Trains `configuration` in pieces: each interrupted a little after the given steps, then to the end.
  // Returns what the pieces logged, in order.
  std::vector<StepRecord> train_in_pieces(TrainConfiguration configuration,
                                          const std::vector<std::int64_t>& stops) {
    std::vector<StepRecord> steps;
    std::int64_t last = 0;
    configuration.resume = "auto";
    for (std::size_t piece = 0; piece <= stops.size(); ++piece) {
      Recorder recorder;
      recorder.stop_at = piece < stops.size() ? stops[piece] : -1;
      const TrainingResult result = train(configuration, world(), recorder);
      EXPECT_EQ(result.code, piece < stops.size() ? ExitCode::stopped : ExitCode::done);
      if (piece < stops.size()) {
        EXPECT_GE(result.step, stops[piece]);
        EXPECT_LE(result.step, stops[piece] + 4);  // acted upon three steps after it was asked for
      }
      EXPECT_GT(result.step, last);
      last = result.step;
      steps.insert(steps.end(), recorder.steps.begin(), recorder.steps.end());
      if (world().rank() == 0) {
        EXPECT_EQ(recorder.starts.at(0).attempt, static_cast<int>(piece) + 1);
      }
    }
    return steps;
  }

  void expect_same_runs(const TrainConfiguration& straight, const std::string& pieces, std::int64_t step) {
    if (world().rank() != 0) return;
    expect_same(load(straight.output, step, straight), load(folder_ / pieces, step, straight));
    // Files carry no times either: equal content is equal bytes.
    EXPECT_TRUE(
        read_text_file(std::filesystem::path(straight.output) / "checkpoints" / checkpoint_name(step)) ==
        read_text_file(folder_ / pieces / "checkpoints" / checkpoint_name(step)));
  }

  // Steps of the step records in a run's metrics.jsonl.
  std::vector<std::int64_t> logged_steps(const std::string& run) const {
    std::vector<std::int64_t> steps;
    std::ifstream file(folder_ / run / "metrics.jsonl");
    for (std::string line; std::getline(file, line);) {
      const auto json = nlohmann::json::parse(line);
      if (json["kind"] == "step") steps.push_back(json["step"]);
    }
    return steps;
  }

  TinyStore tiny_;
  SharedFolder folder_;
};

TEST_F(Resume, InMidEpochIsExact) {
  TrainConfiguration straight = tiny_configuration(folder_, "straight");
  straight.epochs = 6;  // 3 steps an epoch
  straight.log_every = 4;
  straight.optimizer.rule = OptimizerRule::adam;
  straight.schedule.rate.first = 1e-3;
  straight.schedule.kind = ScheduleKind::cosine;
  Recorder recorder;
  EXPECT_EQ(train(straight, world(), recorder).code, ExitCode::done);
  TrainConfiguration pieces = straight;
  pieces.output = (folder_ / "pieces").string();
  const std::vector<StepRecord> steps = train_in_pieces(pieces, {4, 12});
  expect_same_runs(straight, "pieces", 18);
  if (world().rank() != 0) return;
  EXPECT_EQ(logged_steps("pieces"), (std::vector<std::int64_t>{4, 8, 12, 16, 18}));
  // The curve is the same too, though windows of four steps were cut through.
  ASSERT_EQ(steps.size(), recorder.steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    EXPECT_EQ(steps[i].step, recorder.steps[i].step);
    EXPECT_EQ(steps[i].loss, recorder.steps[i].loss);
    EXPECT_EQ(steps[i].samples, recorder.steps[i].samples);
  }
}

TEST_F(Resume, OfAFinishedRunGoesOnToMoreEpochs) {
  TrainConfiguration straight = tiny_configuration(folder_, "straight");
  straight.epochs = 4;
  Recorder recorder;
  train(straight, world(), recorder);
  TrainConfiguration longer = straight;
  longer.output = (folder_ / "longer").string();
  longer.epochs = 2;
  train(longer, world(), recorder);
  longer.epochs = 4;
  longer.resume = "auto";
  EXPECT_EQ(train(longer, world(), recorder).step, 12);
  expect_same_runs(straight, "longer", 12);
  // Once more: nothing is left to do.
  EXPECT_EQ(train(longer, world(), recorder).step, 12);
}

TEST_F(Resume, ARequestOnOneRankStopsThemAllAtTheSameStep) {
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  configuration.epochs = 20;
  configuration.log_every = 100;
  Recorder recorder;
  recorder.stop = world().rank() + 1 == world().size();
  const TrainingResult result = train(configuration, world(), recorder);
  EXPECT_EQ(result.code, ExitCode::stopped);
  EXPECT_EQ(result.step, 3);  // asked for in the first step, acted upon at the epoch's end, before three more
  if (world().rank() != 0) return;
  EXPECT_EQ(load(configuration.output, 3, configuration).header.step, 3);
  EXPECT_EQ(recorder.events_of("stop").size(), 1U);
}

TEST_F(Resume, AnotherRunInTheFolderIsRefused) {
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  configuration.steps = 1;
  Recorder recorder;
  train(configuration, world(), recorder);
  const Refusal refusal = refused(configuration, world());
  EXPECT_EQ(refusal.category, ExitCode::usage);
  EXPECT_NE(refusal.text.find("--resume auto"), std::string::npos) << refusal.text;
}

TEST_F(Resume, AnotherBatchIsRefused) {
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  configuration.steps = 1;
  Recorder recorder;
  train(configuration, world(), recorder);
  configuration.resume = "auto";
  configuration.global_batch = 6;
  const Refusal refusal = refused(configuration, world());
  EXPECT_EQ(refusal.category, ExitCode::usage);
  EXPECT_NE(refusal.text.find("--global-batch 6 where the run has 8"), std::string::npos) << refusal.text;
}

// Every checkpoint of the run would be refused: the option is to blame, not the newest file.
TEST_F(Resume, WhatContradictsTheRunIsRefusedByItsName) {
  TrainConfiguration first = tiny_configuration(folder_, "run");
  Recorder recorder;
  train(first, world(), recorder);
  first.resume = "auto";
  const std::vector<std::pair<std::string, std::function<void(TrainConfiguration&)>>> changes = {
      {"--classes 20 where the run has 3", [](TrainConfiguration& c) { c.classes = 20; }},
      {"--model alexnet-cifar where the run has alexnet-mini",
       [](TrainConfiguration& c) { c.model = "alexnet-cifar"; }},
      {"--optimizer adam where the run has sgd",
       [](TrainConfiguration& c) { c.optimizer.rule = OptimizerRule::adam; }},
  };
  for (const auto& [part, change] : changes) {
    TrainConfiguration changed = first;
    change(changed);
    const Refusal refusal = refused(changed, world());
    EXPECT_EQ(refusal.category, ExitCode::usage) << part;
    EXPECT_EQ(refusal.text.find(part), 0U) << refusal.text;
    changed.resume = changed.output;  // a folder named by the user is searched alike
    EXPECT_EQ(refused(changed, world()).text, refusal.text);
  }
}

TEST_F(Resume, ChangedOptionsAreReported) {
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  configuration.epochs = 1;
  configuration.schedule.kind = ScheduleKind::cosine;
  Recorder first;
  train(configuration, world(), first);
  configuration.resume = "auto";
  configuration.epochs = 2;
  configuration.schedule.rate.first = 0.04;
  configuration.log_every = 2;  // decides nothing
  Recorder second;
  train(configuration, world(), second);
  Recorder third;
  configuration.resume = (folder_ / "run" / "checkpoints" / checkpoint_name(6)).string();
  train(configuration, world(), third);
  if (world().rank() != 0) return;
  EXPECT_TRUE(first.events_of("option").empty());
  EXPECT_TRUE(third.events_of("option").empty());
  std::vector<std::string> texts;
  for (const EventRecord& event : second.events_of("option")) {
    EXPECT_EQ(event.step, 3);
    texts.push_back(event.text);
  }
  EXPECT_EQ(texts, (std::vector<std::string>{"epochs: 1 → 2", "lr: 0.02 → 0.04",
                                             "the cosine schedule ends at step 6 now"}));
  const auto run = nlohmann::json::parse(read_text_file(folder_ / "run" / "run.json"));
  ASSERT_EQ(run["attempts"].size(), 3U);
  EXPECT_EQ(run["attempts"][0]["configuration"]["lr"], "0.02");
  EXPECT_EQ(run["attempts"][1]["configuration"]["lr"], "0.04");
  EXPECT_EQ(run["attempts"][1]["first_step"], 3);
}

TEST_F(Resume, FallsBackToTheNewestSoundCheckpoint) {
  TrainConfiguration straight = tiny_configuration(folder_, "straight");
  straight.checkpoint_every = {1, true};
  straight.keep = 0;
  Recorder recorder;
  train(straight, world(), recorder);
  TrainConfiguration damaged = straight;
  damaged.output = (folder_ / "damaged").string();
  train(damaged, world(), recorder);
  world().on_rank_zero([&] {
    const auto newest = folder_ / "damaged" / "checkpoints" / checkpoint_name(6);
    std::filesystem::resize_file(newest, std::filesystem::file_size(newest) / 2);
    return std::string();
  });
  damaged.resume = "auto";
  Recorder second;
  EXPECT_EQ(train(damaged, world(), second).step, 6);
  if (world().rank() == 0) {
    EXPECT_EQ(second.starts.at(0).step, 3);
  }
  expect_same_runs(straight, "damaged", 6);
}

TEST_F(Resume, NoSoundCheckpointIsAnErrorNotANewStart) {
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  configuration.steps = 1;
  Recorder recorder;
  train(configuration, world(), recorder);
  world().on_rank_zero([&] {
    std::filesystem::resize_file(folder_ / "run" / "checkpoints" / checkpoint_name(1), 1000);
    return std::string();
  });
  configuration.resume = "auto";
  const Refusal refusal = refused(configuration, world());
  EXPECT_EQ(refusal.category, ExitCode::bad_data);
  EXPECT_NE(refusal.text.find(checkpoint_name(1)), std::string::npos) << refusal.text;
}

TEST_F(Resume, AutoStartsAnewWhereNothingIs) {
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  configuration.steps = 1;
  configuration.resume = "auto";
  Recorder recorder;
  EXPECT_EQ(train(configuration, world(), recorder).step, 1);
}

TEST_F(Resume, OfAPathGoesOnInANewFolder) {
  TrainConfiguration first = tiny_configuration(folder_, "first");
  first.steps = 2;
  Recorder recorder;
  train(first, world(), recorder);
  TrainConfiguration second = tiny_configuration(folder_, "second");
  second.steps = 3;
  second.resume = (folder_ / "first" / "checkpoints" / "latest").string();
  Recorder again;
  EXPECT_EQ(train(second, world(), again).step, 3);
  if (world().rank() == 0) {
    EXPECT_EQ(again.starts.at(0).step, 2);
    EXPECT_EQ(again.starts.at(0).attempt, 1);
  }
  second.resume = (folder_ / "elsewhere.h5").string();
  second.output = (folder_ / "third").string();
  EXPECT_EQ(refused(second, world()).category, ExitCode::usage);
}

TEST_F(Resume, ANewFolderGetsABestOfItsOwn) {
  TrainConfiguration first = tiny_configuration(folder_, "first");
  first.epochs = 1;
  Recorder recorder;
  train(first, world(), recorder);
  TrainConfiguration second = tiny_configuration(folder_, "second");
  second.schedule.rate.first = 1e-30;  // never better than the first
  second.resume = (folder_ / "first" / "checkpoints" / "best").string();
  Recorder again;
  EXPECT_EQ(train(second, world(), again).code, ExitCode::done);
  if (world().rank() != 0) return;
  ASSERT_EQ(again.validations.size(), 1U);
  EXPECT_EQ(again.validations[0].top1, recorder.validations.at(0).top1);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "second" / "checkpoints" / "best"));
}

// The schedule of a paper's run in small: two ranks or more, 90 epochs, interrupted twice.
TEST_F(Resume, NinetyEpochsDropAtTheirEpochs) {
  tiny_ = {.images = 3, .validation_images = 0};
  write_tiny_store(folder_ / "small", tiny_, world());
  TrainConfiguration straight = tiny_configuration(folder_, "straight");
  straight.data = (folder_ / "small").string();
  straight.epochs = 90;
  straight.global_batch = 4;  // one step an epoch
  straight.checkpoint_every = {0, true};
  straight.schedule.kind = ScheduleKind::step;
  straight.schedule.step_epochs = 30;
  Recorder recorder;
  EXPECT_EQ(train(straight, world(), recorder).code, ExitCode::done);
  TrainConfiguration pieces = straight;
  pieces.output = (folder_ / "pieces").string();
  const std::vector<StepRecord> steps = train_in_pieces(pieces, {29, 61});
  expect_same_runs(straight, "pieces", 90);
  if (world().rank() != 0) return;
  ASSERT_EQ(steps.size(), 90U);
  for (int step = 1; step <= 90; ++step) {
    EXPECT_EQ(steps[static_cast<std::size_t>(step - 1)].step, step);
    EXPECT_NEAR(steps[static_cast<std::size_t>(step - 1)].rate, 0.02 * std::pow(0.1, (step - 1) / 30), 1e-12)
        << "step " << step;
  }
  const auto drops = recorder.events_of("rate");
  ASSERT_EQ(drops.size(), 2U);
  EXPECT_EQ(drops[0].step, 30);
  EXPECT_EQ(drops[1].step, 60);
}

}  // namespace
}  // namespace convoy::test
