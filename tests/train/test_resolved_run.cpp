// What a run makes of its configuration: how a batch is shared out, the input's scale, the rate's factor; and
// the state that it carries from step to step.
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "settings/values.hpp"
#include "support/expect_error.hpp"
#include "train/batch_text.hpp"
#include "train/resolved_run.hpp"
#include "train/training_state.hpp"

namespace convoy {
namespace {

TEST(BatchText, SaysHowABatchIsShared) {
  EXPECT_EQ(batch_text(256, 8, 1), "256 = 8 ranks × 32");
  EXPECT_EQ(batch_text(64, 3, 1), "64 = 3 ranks × 21–22");
  EXPECT_EQ(batch_text(256, 2, 4), "256 = 2 ranks × 4 micro-batches × 32");
  EXPECT_EQ(batch_text(32, 1, 1), "32 = 1 rank × 32");
}

TEST(BatchText, RefusesMoreRanksThanSamples) {
  EXPECT_NO_THROW(check_batch(8, 8, 1));
  EXPECT_THROW(check_batch(8, 9, 1), Error);
  EXPECT_NO_THROW(check_batch(8, 4, 2));
  EXPECT_THROW(check_batch(8, 4, 3), Error);
}

TEST(BatchText, RefusesARankWithoutAnImage) {
  EXPECT_NO_THROW(check_rows({.images = 4, .global_batch = 100, .ranks = 4}));
  EXPECT_NO_THROW(check_rows({.images = 9, .global_batch = 4, .ranks = 4}));  // the last step is short
  test::expect_error(ExitCode::usage, {"3 images", "4 ranks", "at most 3 ranks"},
                     [] { check_rows({.images = 3, .global_batch = 100, .ranks = 4}); });
}

TEST(BatchText, WarnsOfABatchBeyondTheSplit) {
  EXPECT_EQ(batch_warning({.images = 6000, .global_batch = 6000}), "");
  EXPECT_EQ(batch_warning({.images = 6000, .global_batch = 100'000}),
            "--global-batch 100000 is larger than the training split of 6000 images: each epoch is a single "
            "step of 6000 samples");
}

TEST(InputScale, TakesNamesNumbersAndFractions) {
  const double deviation[3] = {50, 0, 64};
  const auto factors = [&](const char* text) { return input_scale(parse_input_scale(text), deviation); };
  EXPECT_EQ(factors("std"), (std::vector<float>{0.02F, 1, 1 / 64.0F}));
  EXPECT_EQ(factors("none"), (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(factors("1/256"), (std::vector<float>(3, 1 / 256.0F)));
  EXPECT_EQ(factors("0.5"), (std::vector<float>(3, 0.5F)));
  for (const char* text : {"", "stdd", "1/0", "0", "-1", "1/x"})
    EXPECT_THROW(parse_input_scale(text), Error) << text;
}

TEST(RateFactor, LinearScalingIsAskedForOnly) {
  TrainConfiguration configuration;
  configuration.global_batch = 512;
  configuration.recipe_batch = 128;
  EXPECT_EQ(linear_scaling_factor(configuration), 1);
  configuration.scale_rate_linearly = true;
  EXPECT_EQ(linear_scaling_factor(configuration), 4);
}

TEST(TrainingState, SurvivesItsTextBitForBit) {
  TrainingState state;
  state.plateau = {.best_error = 0.1 + 0.2, .since_epoch = 17, .drops = 2};
  state.window = {.steps = 3, .samples = 384, .top1 = 17, .loss = 1234.0 / 7};
  state.evaluated_step = 5000;
  state.best_checkpoint_top1 = 1.0 / 3;
  state.loss_scale.good_steps = 1999;
  state.loss_scale.skipped = 3;
  TrainingState read;
  state_from_json(state_to_json(state), read);
  EXPECT_EQ(read.plateau, state.plateau);
  EXPECT_EQ(read.window.loss, state.window.loss);
  EXPECT_EQ(read.window.samples, state.window.samples);
  EXPECT_EQ(read.evaluated_step, state.evaluated_step);
  EXPECT_EQ(read.best_checkpoint_top1, state.best_checkpoint_top1);
  EXPECT_EQ(read.loss_scale.good_steps, 1999);
  EXPECT_EQ(read.loss_scale.skipped, 3);
  TrainingState fresh;
  state_from_json(state_to_json(TrainingState{}), fresh);
  EXPECT_EQ(fresh.plateau, PlateauState{});  // infinity has no JSON number
  EXPECT_THROW(state_from_json("{\"plateau\": 3}", fresh), Error);
}

TEST(TrainingState, NothingIsBetterThanNaN) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(is_better(0.0, nan));
  EXPECT_FALSE(is_better(nan, 0.5));
  EXPECT_FALSE(is_better(nan, nan));
  EXPECT_FALSE(is_better(0.5, 0.5));
  EXPECT_TRUE(is_better(0.6, 0.5));
}

}  // namespace
}  // namespace convoy
