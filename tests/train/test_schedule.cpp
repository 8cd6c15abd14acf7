// Learning rates: every schedule at the epochs where it changes, warm-up, and which rule holds for which
// tensor.
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "model/networks.hpp"
#include "train/schedule.hpp"

namespace convoy {
namespace {

ScheduleSettings settings_of(ScheduleKind kind, double rate = 0.01) {
  ScheduleSettings settings;
  settings.kind = kind;
  settings.rate.first = rate;
  return settings;
}

double rate(const ScheduleSettings& settings, double epoch, double total = 90) {
  return base_rate(settings, {.epoch = epoch, .total_epochs = total, .plateau = {}});
}

TEST(Schedule, ConstantStays) {
  const ScheduleSettings settings = settings_of(ScheduleKind::constant);
  EXPECT_EQ(rate(settings, 0), 0.01);
  EXPECT_EQ(rate(settings, 89.99), 0.01);
}

TEST(Schedule, StepDropsAtTheEpochItself) {
  ScheduleSettings settings = settings_of(ScheduleKind::step);
  settings.step_epochs = 30;
  // Powers of 0.1 are not exact in binary: 1e-15 covers their last bits.
  EXPECT_DOUBLE_EQ(rate(settings, 29.999), 0.01);
  EXPECT_NEAR(rate(settings, 30), 0.001, 1e-15);
  EXPECT_NEAR(rate(settings, 59.999), 0.001, 1e-15);
  EXPECT_NEAR(rate(settings, 60), 0.0001, 1e-15);
}

TEST(Schedule, DatesOfThe2012Run) {
  ScheduleSettings settings = settings_of(ScheduleKind::constant);
  settings.rate.later = {{25, 0.001}, {51, 1e-4}, {79, 1e-5}};
  EXPECT_EQ(rate(settings, 24.9), 0.01);
  EXPECT_EQ(rate(settings, 25), 0.001);
  EXPECT_EQ(rate(settings, 51), 1e-4);
  EXPECT_EQ(rate(settings, 90.5), 1e-5);
}

TEST(Schedule, PolynomialReachesItsEnd) {
  ScheduleSettings settings = settings_of(ScheduleKind::polynomial, 0.08);
  settings.power = 2;
  EXPECT_EQ(rate(settings, 0, 100), 0.08);
  EXPECT_DOUBLE_EQ(rate(settings, 50, 100), 0.02);
  EXPECT_EQ(rate(settings, 100, 100), 0);
  EXPECT_EQ(rate(settings, 120, 100), 0);
  settings.end_rate = 0.01;
  EXPECT_DOUBLE_EQ(rate(settings, 100, 100), 0.01);
}

TEST(Schedule, CosineIsHalfWayInTheMiddle) {
  ScheduleSettings settings = settings_of(ScheduleKind::cosine, 0.1);
  settings.end_rate = 0.02;
  EXPECT_DOUBLE_EQ(rate(settings, 0, 10), 0.1);
  EXPECT_NEAR(rate(settings, 5, 10), 0.06, 1e-15);
  EXPECT_NEAR(rate(settings, 10, 10), 0.02, 1e-15);
  EXPECT_GT(rate(settings, 2, 10), rate(settings, 2.01, 10));
}

TEST(Schedule, WarmUpRisesLinearlyAndMultiplies) {
  ScheduleSettings settings = settings_of(ScheduleKind::constant, 10);
  settings.warmup_epochs = 4;
  settings.warmup_start = 0.1;
  EXPECT_DOUBLE_EQ(rate(settings, 0), 1);
  EXPECT_DOUBLE_EQ(rate(settings, 2), 5.5);
  EXPECT_DOUBLE_EQ(rate(settings, 4), 10);
  EXPECT_DOUBLE_EQ(rate(settings, 5), 10);
}

TEST(Plateau, DropsAfterPatienceEpochsWithoutProgress) {
  ScheduleSettings settings = settings_of(ScheduleKind::plateau);
  settings.patience = 3;
  settings.drops = 2;
  PlateauState state;
  EXPECT_FALSE(update_plateau(settings, state, 1, 0.9));
  EXPECT_FALSE(update_plateau(settings, state, 2, 0.8995));  // fell by less than 0.1 point
  EXPECT_FALSE(update_plateau(settings, state, 3, 0.8994));
  EXPECT_TRUE(update_plateau(settings, state, 4, 0.9));
  EXPECT_EQ(state.drops, 1);
  EXPECT_FALSE(update_plateau(settings, state, 5, 0.8));  // a new best starts the count again
  EXPECT_FALSE(update_plateau(settings, state, 6, 0.8));
  EXPECT_FALSE(update_plateau(settings, state, 7, 0.8));
  EXPECT_TRUE(update_plateau(settings, state, 8, 0.8));
  for (int epoch = 9; epoch < 30; ++epoch) EXPECT_FALSE(update_plateau(settings, state, epoch, 0.8));
  EXPECT_EQ(state.drops, 2);
  EXPECT_NEAR(base_rate(settings, {.epoch = 30, .total_epochs = 90, .plateau = state}), 1e-4, 1e-15);
}

TEST(Plateau, AFallByExactlyTheThresholdCounts) {
  ScheduleSettings settings = settings_of(ScheduleKind::plateau);
  settings.patience = 1;
  PlateauState state;
  // 0.1 point steps as counts over 1000 images, each a double that rounds its own way.
  for (int epoch = 1; epoch <= 500; ++epoch)
    EXPECT_FALSE(update_plateau(settings, state, epoch, 1 - (400 + epoch) / 1000.0)) << epoch;
}

class TensorRates : public testing::Test {
 protected:
  TensorRates() : table_(make_network("alexnet")) { configuration_.schedule.rate.first = 0.01; }

  TensorRate of(const std::string& layer, ParameterKind kind, double epoch = 0) {
    const auto rates = tensor_rates(table_, configuration_.schedule, decay_of(configuration_),
                                    {.epoch = epoch, .total_epochs = 90, .plateau = {}});
    for (std::size_t i = 0; i < rates.size(); ++i)
      if (table_.parameters()[i].layer == layer && table_.parameters()[i].kind == kind) return rates[i];
    ADD_FAILURE() << layer;
    return {};
  }

  TrainConfiguration configuration_;
  ParameterTable table_;
};

TEST_F(TensorRates, CaffeTwiceOnBiasesWithoutDecay) {
  configuration_.schedule.rules["bias"] = {.factor = 2.0, .own = {}};
  configuration_.bias_decay = 0;
  EXPECT_FLOAT_EQ(of("conv3", ParameterKind::bias).rate, 0.02F);
  EXPECT_FLOAT_EQ(of("conv3", ParameterKind::weight).rate, 0.01F);
  EXPECT_EQ(of("fc8", ParameterKind::bias).decay, 0);
  EXPECT_FLOAT_EQ(of("fc8", ParameterKind::weight).decay, 5e-4F);
}

TEST_F(TensorRates, BiasesDecayAsWeightsUnlessToldOtherwise) {
  EXPECT_FLOAT_EQ(of("fc6", ParameterKind::bias).decay, 5e-4F);
}

TEST_F(TensorRates, TheMostSpecificRuleHolds) {
  configuration_.schedule.rules["bias"] = {.factor = 2.0, .own = {}};
  configuration_.schedule.rules["conv1"] = {.factor = {},
                                            .own = DatedRate{.first = 0.005, .later = {{67, 1e-5}, {72, 0}}}};
  configuration_.schedule.rules["conv1.bias"] = {.factor = 4.0, .own = {}};
  EXPECT_FLOAT_EQ(of("conv1", ParameterKind::bias).rate, 0.04F);
  EXPECT_FLOAT_EQ(of("conv1", ParameterKind::weight).rate, 0.005F);
  EXPECT_FLOAT_EQ(of("conv1", ParameterKind::weight, 67).rate, 1e-5F);
  EXPECT_EQ(of("conv1", ParameterKind::weight, 72).rate, 0);
  EXPECT_FLOAT_EQ(of("conv2", ParameterKind::bias).rate, 0.02F);
}

TEST_F(TensorRates, ARateOfItsOwnIgnoresTheScheduleButWarmsUp) {
  configuration_.schedule.kind = ScheduleKind::step;
  configuration_.schedule.step_epochs = 10;
  configuration_.schedule.warmup_epochs = 2;
  configuration_.schedule.rules["fc8"] = {.factor = {}, .own = DatedRate{.first = 0.1, .later = {}}};
  EXPECT_FLOAT_EQ(of("fc8", ParameterKind::weight, 1).rate, 0.05F);
  EXPECT_FLOAT_EQ(of("fc8", ParameterKind::weight, 20).rate, 0.1F);
  EXPECT_FLOAT_EQ(of("fc7", ParameterKind::weight, 20).rate, 1e-4F);
}

TEST_F(TensorRates, RulesForUnknownLayersAreRefused) {
  std::map<std::string, RateRule> rules;
  rules["conv9"] = {.factor = 2.0, .own = {}};
  try {
    check_rate_rules(rules, table_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::usage);
    EXPECT_NE(std::string(error.what()).find("conv9"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("fc8"), std::string::npos);
  }
  rules.clear();
  rules["conv5.bias"] = rules["weight"] = {.factor = 1.0, .own = {}};
  EXPECT_NO_THROW(check_rate_rules(rules, table_));
}

}  // namespace
}  // namespace convoy
