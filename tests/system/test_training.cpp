// Whole runs through the C++ interface: learning, checkpoints and links, fine-tuning, divergence, evaluation
// and prediction from a checkpoint, and what is refused before anything big is allocated.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "inference/evaluation.hpp"
#include "inference/prediction.hpp"
#include "model/networks.hpp"
#include "support/mpi_test.hpp"
#include "system/bad_gradient.hpp"
#include "system/tiny_run.hpp"
#include "train/agreement.hpp"

namespace convoy::test {
namespace {

class Training : public testing::Test {
 protected:
  Training() : folder_(world()) { write_tiny_store(folder_ / "store", {}, world()); }

  std::filesystem::path checkpoint(const std::string& run, std::int64_t step) const {
    return folder_ / run / "checkpoints" / checkpoint_name(step);
  }

  // The first of the best.
  static ValidationRecord best_of(const std::vector<ValidationRecord>& validations) {
    return *std::ranges::max_element(validations, {}, &ValidationRecord::top1);
  }

  SharedFolder folder_;
};

TEST_F(Training, LearnsAndKeepsTheBestAndTheLast) {
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  configuration.epochs = 8;
  configuration.keep = 2;
  Recorder recorder;
  const TrainingResult result = train(configuration, world(), recorder);
  EXPECT_EQ(result.code, ExitCode::done);
  const EvaluationResult evaluated =
      evaluate_checkpoint({.checkpoint = (folder_ / "run" / "checkpoints" / "latest").string(),
                           .data = configuration.data,
                           .device = DeviceKind::cpu,
                           .threads = 1},
                          world(), Log(world().rank(), world().size(), LogLevel::warning));
  if (world().rank() != 0) return;
  EXPECT_LT(recorder.steps.back().loss, recorder.steps.front().loss);
  ASSERT_EQ(recorder.validations.size(), 8U);
  EXPECT_EQ(recorder.checkpoints.size(), 8U);
  EXPECT_GT(recorder.validations.back().top1, 0.6);
  EXPECT_EQ(evaluated.samples, 7);
  EXPECT_EQ(evaluated.top1, recorder.validations.back().top1);
  EXPECT_NEAR(evaluated.loss, recorder.validations.back().loss, 1e-6);  // other batch sizes, other sums
  const auto folder = folder_ / "run" / "checkpoints";
  EXPECT_EQ(std::filesystem::read_symlink(folder / "latest").filename(), checkpoint_name(24));
  const std::int64_t best_step = best_of(recorder.validations).step;
  EXPECT_EQ(std::filesystem::read_symlink(folder / "best").filename(), checkpoint_name(best_step));
  EXPECT_TRUE(std::filesystem::exists(folder / checkpoint_name(21)));
  if (best_step != 3) {
    EXPECT_FALSE(std::filesystem::exists(folder / checkpoint_name(3)));
  }
}

TEST_F(Training, PredictionsCountAsTheMetricsDo) {
  TrainConfiguration configuration = tiny_configuration(folder_, "predicted");
  configuration.epochs = 2;
  Recorder recorder;
  ASSERT_EQ(train(configuration, world(), recorder).code, ExitCode::done);
  expect_predictions_fit(recorder, world());
}

// `best` is the best validation, wherever checkpoints are due; a run that keeps only its end has no
// other checkpoint to offer.
TEST_F(Training, TheBestValidationIsKeptBetweenCheckpoints) {
  for (const Interval every : {Interval{7, false}, Interval{0, false}}) {
    TrainConfiguration configuration = tiny_configuration(folder_, fmt::format("every{}", every.count));
    configuration.epochs = 6;
    configuration.keep = 1;
    configuration.checkpoint_every = every;
    Recorder recorder;
    train(configuration, world(), recorder);
    if (world().rank() != 0) continue;
    const ValidationRecord best = best_of(recorder.validations);
    ASSERT_LT(best.step, 18) << "a best epoch at the end shows nothing";
    const std::filesystem::path folder = std::filesystem::path(configuration.output) / "checkpoints";
    if (every.count == 0) {
      EXPECT_EQ(recorder.checkpoints.size(), 1U);
      EXPECT_EQ(std::filesystem::read_symlink(folder / "best").filename(), checkpoint_name(18));
      continue;
    }
    EXPECT_EQ(std::filesystem::read_symlink(folder / "best").filename(), checkpoint_name(best.step));
    EXPECT_EQ(load(configuration.output, best.step, configuration).header.best_top1, best.top1);
  }
}

TEST_F(Training, PredictsFromTheCheckpointAlone) {
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  configuration.steps = 0;
  Recorder recorder;
  train(configuration, world(), recorder);
  if (world().rank() != 0) return;
  Predictor predictor(checkpoint("run", 0), DeviceKind::cpu, Precision::fp32, 1);
  EXPECT_EQ(predictor.stored_side(), 68);
  const std::vector<std::vector<std::uint8_t>> images(9, std::vector<std::uint8_t>(68 * 68 * 3, 100));
  const auto predictions = predictor.predict(images, 2);
  ASSERT_EQ(predictions.size(), 9U);
  for (const auto& top : predictions) {
    ASSERT_EQ(top.size(), 2U);
    EXPECT_GE(top[0].probability, top[1].probability);
    EXPECT_EQ(top[0].entry.id, fmt::format("c{}", top[0].index));
    EXPECT_EQ(top[0].probability, predictions[0][0].probability);
  }
}

TEST_F(Training, TheCheckpointSaysHowItsImagesWereFitted) {
  write_tiny_store(folder_ / "warped", {.fit = Fit::warp}, world());
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  configuration.data = (folder_ / "warped").string();
  configuration.steps = 0;
  Recorder recorder;
  train(configuration, world(), recorder);
  EvaluationOptions options{.checkpoint = checkpoint("run", 0).string(),
                            .data = configuration.data,
                            .device = DeviceKind::cpu,
                            .threads = 1};
  const Log log(world().rank(), world().size(), LogLevel::warning);
  EXPECT_EQ(evaluate_checkpoint(options, world(), log).samples, 7);
  if (world().rank() != 0) return;
  EXPECT_EQ(Predictor(checkpoint("run", 0), DeviceKind::cpu, Precision::fp32, 1).fit(), Fit::warp);
}

TEST_F(Training, TenCropsOfEveryImage) {
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  configuration.steps = 3;
  Recorder recorder;
  train(configuration, world(), recorder);
  EvaluationOptions options{.checkpoint = checkpoint("run", 3).string(),
                            .data = configuration.data,
                            .device = DeviceKind::cpu,
                            .threads = 1};
  const Log log(world().rank(), world().size(), LogLevel::warning);
  const EvaluationResult one = evaluate_checkpoint(options, world(), log);
  options.ten_crop = true;
  const EvaluationResult ten = evaluate_checkpoint(options, world(), log);
  EXPECT_EQ(ten.samples, 7);
  EXPECT_EQ(ten.top5, 1);
  EXPECT_NE(ten.loss, one.loss);
  EXPECT_NEAR(ten.loss, one.loss, 0.2);  // crops 4 pixels apart look much alike
}

TEST_F(Training, FineTuningTakesTheLayersThatFit) {
  TrainConfiguration configuration = tiny_configuration(folder_, "first");
  configuration.steps = 2;
  Recorder recorder;
  train(configuration, world(), recorder);
  write_tiny_store(folder_ / "other", {.images = 8, .validation_images = 0, .classes = 4}, world());
  TrainConfiguration second = tiny_configuration(folder_, "second");
  second.data = (folder_ / "other").string();
  second.weights = checkpoint("first", 2).string();
  second.steps = 0;
  train(second, world(), recorder);
  if (world().rank() != 0) return;
  const auto tensor = [](const std::string& dataset, const std::filesystem::path& path) {
    return CheckpointFile(path).read_tensor("/parameters/" + dataset)->values;
  };
  const auto first = checkpoint("first", 2), start = checkpoint("second", 0);
  EXPECT_EQ(tensor("conv1/weight", first), tensor("conv1/weight", start));
  EXPECT_EQ(tensor("fc7/bias", first), tensor("fc7/bias", start));
  EXPECT_EQ(CheckpointFile(start).read_tensor("/parameters/fc8/weight")->shape, (std::vector<int>{4, 512}));
}

// A schedule that ends with the run ends at --steps, whatever --epochs is.
TEST_F(Training, StepsBoundTheSchedule) {
  for (const ScheduleKind kind : {ScheduleKind::cosine, ScheduleKind::polynomial}) {
    TrainConfiguration configuration =
        tiny_configuration(folder_, kind == ScheduleKind::cosine ? "cosine" : "polynomial");
    configuration.epochs = 90;
    configuration.steps = 8;  // 3 steps an epoch
    configuration.evaluate_every = configuration.checkpoint_every = {0, true};
    configuration.schedule.kind = kind;
    configuration.schedule.end_rate = 0.001;
    Recorder recorder;
    EXPECT_EQ(train(configuration, world(), recorder).step, 8);
    if (world().rank() != 0) continue;
    ASSERT_EQ(recorder.steps.size(), 8U);
    for (int step = 0; step < 8; ++step) {
      const double left = kind == ScheduleKind::cosine ? (1 + std::cos(std::numbers::pi * step / 8)) / 2
                                                       : std::pow(1 - step / 8.0, 2);
      EXPECT_NEAR(recorder.steps[static_cast<std::size_t>(step)].rate, 0.001 + 0.019 * left, 1e-15) << step;
    }
    EXPECT_EQ(recorder.starts.at(0).last_step, 8);
    EXPECT_NEAR(recorder.starts.at(0).epochs, 8 / 3.0, 1e-12);
  }
}

TEST_F(Training, NeverMeansNotEvenAtTheEnd) {
  TrainConfiguration configuration = tiny_configuration(folder_, "never");
  configuration.steps = 4;  // beyond the end of an epoch
  configuration.evaluate_every = configuration.checkpoint_every = {.count = 0, .epochs = true, .never = true};
  Recorder recorder;
  const TrainingResult result = train(configuration, world(), recorder);
  EXPECT_EQ(result.code, ExitCode::done);
  EXPECT_NE(result.text.find("holds no checkpoint"), std::string::npos) << result.text;
  EXPECT_TRUE(recorder.validations.empty());
  EXPECT_TRUE(recorder.checkpoints.empty());
  if (world().rank() == 0) {
    EXPECT_FALSE(std::filesystem::exists(folder_ / "never" / "checkpoints" / "latest"));
  }
}

TEST_F(Training, SettingsThatHardlyAnyoneMeansAreReported) {
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  configuration.global_batch = 1000;  // 18 images
  configuration.steps = 2;
  configuration.schedule.warmup_epochs = 5;
  Recorder recorder;
  train(configuration, world(), recorder);
  if (world().rank() != 0) return;
  EXPECT_EQ(recorder.steps.at(0).samples, 18);
  const std::vector<EventRecord> warnings = recorder.events_of("warning");
  ASSERT_EQ(warnings.size(), 2U);
  EXPECT_NE(warnings[0].text.find("--global-batch 1000 is larger than the training split of 18 images"),
            std::string::npos);
  EXPECT_NE(warnings[1].text.find("--warmup-epochs 5: the run ends after 2 epochs"), std::string::npos)
      << warnings[1].text;
}

TEST_F(Training, DivergenceEndsTheRunAndKeepsTheLastSoundCheckpoint) {
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  configuration.epochs = 20;
  configuration.keep = 0;
  configuration.schedule.rate.first = 0.01;
  configuration.schedule.rate.later = {{2, 1e30}};
  Recorder recorder;
  const TrainingResult result = train(configuration, world(), recorder);
  EXPECT_EQ(result.code, ExitCode::diverged);
  EXPECT_NE(result.text.find("--lr"), std::string::npos) << result.text;
  EXPECT_NE(result.text.find(checkpoint_name(6)), std::string::npos) << result.text;
  if (world().rank() != 0) return;
  const Checkpoint kept = load(configuration.output, 6, configuration);
  for (const float value : kept.parameters) ASSERT_TRUE(std::isfinite(value));
  EXPECT_FALSE(std::filesystem::exists(checkpoint("run", 9)));
}

// The update is applied before the gradient is known: what it made must not be written.
TEST_F(Training, AGradientThatIsNotFiniteEndsTheRunAndNothingIsWritten) {
  expect_bad_gradient_to_end_runs(tiny_configuration(folder_, "run"), world());
}

// The last update of a run is looked at too: its weights are not kept.
TEST_F(Training, AnUpdateThatBreaksTheWeightsIsNotWritten) {
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  configuration.steps = 1;
  configuration.schedule.rate.first = 1e36;
  Recorder recorder;
  const TrainingResult result = train(configuration, world(), recorder);
  EXPECT_EQ(result.code, ExitCode::diverged);
  EXPECT_NE(result.text.find("at step 1 the loss, a gradient or a weight"), std::string::npos) << result.text;
  EXPECT_FALSE(std::filesystem::exists(checkpoint("run", 1)));
}

TEST_F(Training, SixteenBitsLearnAlike) {
  if (const std::string refusal = precision_refusal(DeviceKind::cpu, Precision::bf16); !refusal.empty())
    GTEST_SKIP() << refusal;
  TrainConfiguration configuration = tiny_configuration(folder_, "fp32");
  Recorder full, half;
  train(configuration, world(), full);
  configuration.output = (folder_ / "bf16").string();
  configuration.precision = Precision::bf16;
  train(configuration, world(), half);
  if (world().rank() != 0) return;
  // bf16 keeps 8 bits: activations are off by up to 1/256 each, the mean loss by a few of these.
  for (std::size_t i = 0; i < full.steps.size(); ++i)
    EXPECT_NEAR(half.steps.at(i).loss / full.steps[i].loss, 1, 0.03) << "step " << i + 1;
}

TEST_F(Training, PlateauDropsWhenValidationStops) {
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  configuration.epochs = 6;
  configuration.schedule.kind = ScheduleKind::plateau;
  configuration.schedule.patience = 1;
  configuration.schedule.drops = 2;
  configuration.schedule.rate.first = 1e-12;  // nothing can get better
  Recorder recorder;
  train(configuration, world(), recorder);
  if (world().rank() != 0) return;
  const auto drops = recorder.events_of("rate");
  ASSERT_EQ(drops.size(), 2U);
  EXPECT_EQ(drops[0].step, 6);  // epoch 1 sets the best, epoch 2 does not better it
  EXPECT_EQ(drops[1].step, 9);
  EXPECT_NEAR(recorder.steps.back().rate, 1e-14, 1e-20);
}

TEST_F(Training, EvaluationRefusesWhatDoesNotFitTheCheckpoint) {
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  configuration.steps = 0;
  Recorder recorder;
  train(configuration, world(), recorder);
  write_tiny_store(folder_ / "wide", {.images = 4, .validation_images = 4, .side = 72}, world());
  write_tiny_store(folder_ / "warped", {.images = 4, .validation_images = 4, .fit = Fit::warp}, world());
  write_tiny_store(folder_ / "many", {.images = 4, .validation_images = 4, .classes = 4}, world());
  const Log log(world().rank(), world().size(), LogLevel::warning);
  const auto refusal = [&](const EvaluationOptions& options) {
    try {
      evaluate_checkpoint(options, world(), log);
    } catch (const Error& error) {
      return std::make_pair(error.category(), std::string(error.what()));
    }
    return std::make_pair(ExitCode::done, std::string());
  };
  const EvaluationOptions sound{.checkpoint = checkpoint("run", 0).string(),
                                .data = configuration.data,
                                .device = DeviceKind::cpu,
                                .threads = 1};
  EXPECT_EQ(refusal(sound).first, ExitCode::done);
  EvaluationOptions options = sound;
  options.data = (folder_ / "wide").string();
  EXPECT_NE(refusal(options).second.find("--image-size 68"), std::string::npos);
  options.data = (folder_ / "warped").string();
  EXPECT_EQ(refusal(options).first, ExitCode::usage);
  EXPECT_NE(refusal(options).second.find("pack the data with --fit cut"), std::string::npos);
  options.data = (folder_ / "many").string();
  EXPECT_NE(refusal(options).second.find("--class-list"), std::string::npos);
  options = sound;
  options.split = "test";
  EXPECT_EQ(refusal(options).first, ExitCode::usage);
  options = sound;
  options.checkpoint = (folder_ / "run" / "run.json").string();
  EXPECT_EQ(refusal(options).first, ExitCode::bad_data);
}

TEST_F(Training, AReplicaThatWentItsOwnWayIsFound) {
  const NetSpec network = make_network("alexnet-mini");
  const InputSpec input{.stored_side = 68, .crop_side = 64, .mean = {0, 0, 0}};
  const auto replica = make_replica(network, input, {.device = DeviceKind::cpu, .threads = 1});
  std::vector<float> values(replica->table().size());
  replica->write_parameters(values);
  EXPECT_NO_THROW(require_same_parameters(world(), *replica, 5));
  if (world().size() == 1) return;
  if (world().rank() == 1) values[replica->table().find("conv3", ParameterKind::weight).offset] = 1e-30F;
  replica->write_parameters(values);
  try {
    require_same_parameters(world(), *replica, 5);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::device);
    EXPECT_NE(std::string(error.what()).find("conv3/weight on rank 1"), std::string::npos) << error.what();
  }
}

TEST_F(Training, WhatCannotWorkIsRefused) {
  const TrainConfiguration sound = tiny_configuration(folder_, "run");
  TrainConfiguration configuration = sound;
  configuration.model = "alexnet-owt";
  Refusal refusal = refused(configuration, world());
  EXPECT_EQ(refusal.category, ExitCode::usage);
  EXPECT_NE(refusal.text.find("--image-size"), std::string::npos) << refusal.text;
  configuration = sound;
  configuration.classes = 2;
  EXPECT_NE(refused(configuration, world()).text.find("--classes 2"), std::string::npos);
  configuration = sound;
  configuration.data = (folder_ / "nothing").string();
  EXPECT_NE(refused(configuration, world()).category, ExitCode::bug);
  write_tiny_store(folder_ / "bare", {.images = 6, .validation_images = 0}, world());
  configuration = sound;
  configuration.data = (folder_ / "bare").string();
  configuration.schedule.kind = ScheduleKind::plateau;
  EXPECT_NE(refused(configuration, world()).text.find("plateau"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));
  if (world().size() == 1) return;
  configuration = sound;
  configuration.global_batch = world().size() - 1;
  refusal = refused(configuration, world());
  EXPECT_NE(refusal.text.find("each needs a sample"), std::string::npos) << refusal.text;
  configuration = sound;
  configuration.seed = static_cast<std::uint64_t>(world().rank());
  EXPECT_NE(refused(configuration, world()).text.find("'seed = 0' on rank 0, 'seed = 1' there"),
            std::string::npos);
}

}  // namespace
}  // namespace convoy::test
