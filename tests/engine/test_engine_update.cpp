// The optimisers of every target against the reference: rules, rates and decay per tensor, loss scale, norms,
// what is told of gradients that are not finite, and whole training steps.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/engine_under_test.hpp"
#include "engine/update_arithmetic.hpp"
#include "model/networks.hpp"
#include "reference/narrow.hpp"
#include "reference/reference_optimizer.hpp"

namespace convoy::test {
namespace {

struct Parameters {
  Target target;
  OptimizerRule rule;
  std::string rule_name() const {
    std::string name(optimizer_word(rule));
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
  }
};
std::ostream& operator<<(std::ostream& out, const Parameters& each) {
  return out << each.target << " " << each.rule_name();
}

std::vector<Parameters> all_rules() {
  std::vector<Parameters> result;
  for (const Target& target : exact_targets()) {
    for (const OptimizerRule rule : optimizer_rules) result.push_back({target, rule});
  }
  return result;
}

class EngineUpdate : public testing::TestWithParam<Parameters> {
 protected:
  EngineUpdate() {
    settings_.rule = GetParam().rule;
    settings_.momentum = 0.8F;
    settings_.beta2 = 0.99F;
    settings_.epsilon = 1e-6F;
    engine_ = std::make_unique<EngineUnderTest>(GetParam().target, spec_, input_, settings_);
    const std::size_t tensors = table().parameters().size();
    for (std::size_t i = 0; i < tensors; ++i) {
      rates_.push_back({0.01F + 0.002F * static_cast<float>(i), i % 2 == 0 ? 0.03F : 0.0F});
    }
  }

  const ParameterTable& table() const { return engine_->reference().table(); }
  static int slots() { return slot_count(GetParam().rule); }
  // Inspects the gradients in uneven pieces, as buckets do.
  void inspect_all() const {
    const std::size_t cut = table().parameters()[3].offset;
    engine_->replica().gradients_summed(0, cut);
    engine_->replica().gradients_summed(cut, table().size());
  }
  std::vector<std::vector<float>> state() const {
    std::vector<std::vector<float>> result = {engine_->read_parameters()};
    for (int slot = 0; slot < slots(); ++slot) result.push_back(engine_->read_slot(slot));
    return result;
  }

  NetSpec spec_ = narrow(make_network("alexnet-cifar"), 16, 9);
  InputSpec input_ = test_input(spec_, 32);
  OptimizerSettings settings_;
  std::vector<TensorRate> rates_;
  std::unique_ptr<EngineUnderTest> engine_;
};

INSTANTIATE_TEST_SUITE_P(All, EngineUpdate, testing::ValuesIn(all_rules()), [](const auto& each) {
  return each.param.target.name() + "_" + each.param.rule_name();
});

// Weights that an update has made too large, or no numbers at all, are told with the next one.
TEST_P(EngineUpdate, TellsOfWeightsThatBroke) {
  const std::vector<float> sound = engine_->read_parameters();
  engine_->replica().write_gradients(std::vector<float>(table().size(), 0.5F));
  std::int64_t number = 0;
  const auto update = [&](float rate) {
    inspect_all();
    const std::vector<TensorRate> rates(rates_.size(), {rate, 0});
    return engine_->replica().update({++number, 1, rates});
  };
  EXPECT_TRUE(update(1e-3F).weights_sound);
  EXPECT_TRUE(update(1e30F).weights_sound) << "it began with sound ones";
  const UpdateResult broken = update(1e-3F);
  EXPECT_FALSE(broken.weights_sound);
  EXPECT_TRUE(broken.finite);
  engine_->replica().write_parameters(sound);
  update(1e-3F);
  std::vector<float> one_bad = sound;
  one_bad[table().parameters()[2].offset + 1] = NAN;
  engine_->replica().write_parameters(one_bad);
  update(1e-3F);
  EXPECT_FALSE(update(1e-3F).weights_sound);
}

TEST_P(EngineUpdate, FollowsTheFormula) {
  ReferenceOptimizer optimizer(settings_, table());
  std::vector<double> parameters = engine_->reference().parameters();
  for (int number = 1; number <= 4; ++number) {
    const std::vector<float> gradients = random_parameters(table(), static_cast<std::uint64_t>(number) + 70);
    engine_->replica().write_gradients(gradients);
    inspect_all();
    const UpdateStep step{number, 0.125F, rates_};
    const UpdateResult result = engine_->replica().update(step);
    const double norm = optimizer.update(step, {gradients.begin(), gradients.end()}, parameters);
    EXPECT_TRUE(result.finite);
    // The squares of at least 10⁵ elements are summed in double, or float with 24 bits in short pieces.
    EXPECT_NEAR(result.gradient_norm, norm, 1e-5 * norm);
  }
  // Four updates, each of a few float operations with error 2⁻²⁴ = 6e-8.
  EXPECT_LE(relative_error(engine_->read_parameters(), parameters), 5e-7);
  EXPECT_LE(relative_error(engine_->read_slot(0), optimizer.slot(0)), 2e-6);
  // Adam's 1 − β2, of a float β2, loses bits: 6e-8 / 0.01.
  for (int slot = 1; slot < slots(); ++slot)
    EXPECT_LE(relative_error(engine_->read_slot(slot), optimizer.slot(slot)), 2e-5);
}

// Without a gradient a moment shrinks to nothing, not to a subnormal number that slows every later step:
// 0.8 times the smallest of these rounds to itself again.
TEST_P(EngineUpdate, MomentsOfDeadUnitsEndAtZero) {
  std::fill(rates_.begin(), rates_.end(), TensorRate{0.01F, 0});
  engine_->replica().write_gradients(std::vector<float>(table().size()));
  for (int slot = 0; slot < slots(); ++slot) {
    std::vector<float> moments = engine_->read_slot(slot);
    for (const Parameter& parameter : table().parameters()) {
      const auto begin = moments.begin() + static_cast<std::ptrdiff_t>(parameter.offset);
      // The slowest, β2 = 0.99, leaves the normal numbers after 23 updates.
      std::fill_n(begin, parameter.elements, 1.25F * std::numeric_limits<float>::min());
    }
    engine_->replica().write_slot(slot, moments);
  }
  const std::vector<float> weights = engine_->read_parameters();
  const auto subnormal = [](float value) { return std::fpclassify(value) == FP_SUBNORMAL; };
  for (int number = 1; number <= 30; ++number) {
    inspect_all();
    engine_->replica().update({number, 1, rates_});
    for (const std::vector<float>& buffer : state()) {
      ASSERT_TRUE(std::none_of(buffer.begin(), buffer.end(), subnormal)) << "update " << number;
    }
  }
  for (int slot = 0; slot < slots(); ++slot) {
    EXPECT_EQ(engine_->read_slot(slot), std::vector<float>(table().size()));
  }
  EXPECT_EQ(engine_->read_parameters(), weights) << "so small a moment moves no weight";
}

TEST_P(EngineUpdate, EveryTensorHasItsOwnRateAndDecay) {
  const std::vector<float> before = engine_->read_parameters();
  const std::size_t moving = 4;
  std::fill(rates_.begin(), rates_.end(), TensorRate{});
  rates_[moving].rate = 0.5F;
  engine_->replica().write_gradients(random_parameters(table(), 71));
  inspect_all();
  engine_->replica().update({1, 1, rates_});
  const std::vector<float> after = engine_->read_parameters();
  for (std::size_t i = 0; i < rates_.size(); ++i) {
    const Parameter& parameter = table().parameters()[i];
    const auto begin = static_cast<std::ptrdiff_t>(parameter.offset);
    const auto end = begin + static_cast<std::ptrdiff_t>(parameter.elements);
    EXPECT_EQ(std::equal(before.begin() + begin, before.begin() + end, after.begin() + begin), i != moving)
        << parameter.path();
  }
}

TEST_P(EngineUpdate, GapsStayZero) {
  std::vector<float> gradients = random_parameters(table(), 71);
  engine_->replica().write_gradients(gradients);
  inspect_all();
  engine_->replica().update({1, 1, rates_});
  for (const std::vector<float>& buffer : state()) {
    std::size_t end = 0;
    for (const Parameter& parameter : table().parameters()) {
      for (; end < parameter.offset; ++end) ASSERT_EQ(buffer[end], 0);
      end += parameter.elements;
    }
    for (; end < buffer.size(); ++end) ASSERT_EQ(buffer[end], 0);
  }
}

// Without a loss scale a gradient that is not finite ends training: it is told with its update, and the
// weights that it made can be told from sound ones.
TEST_P(EngineUpdate, OneBadGradientIsTold) {
  const std::vector<float> good = random_parameters(table(), 72);
  engine_->replica().write_gradients(good);
  inspect_all();
  ASSERT_TRUE(engine_->replica().update({1, 1, rates_}).finite);
  const std::vector<std::vector<float>> before = state();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::size_t last = table().parameters().back().offset;
  const auto sound = [](float weight) { return is_sound(weight); };
  for (const auto& [place, value] :
       {std::pair{std::size_t{5}, NAN}, std::pair{last, infinity}, std::pair{last + 1, -infinity}}) {
    std::vector<float> bad = good;
    bad[place] = value;
    engine_->replica().write_gradients(bad);
    inspect_all();
    const UpdateResult result = engine_->replica().update({2, 1, rates_});
    EXPECT_FALSE(result.finite);
    EXPECT_TRUE(result.weights_sound) << "it began with sound ones";
    const std::vector<float> weights = engine_->read_parameters();
    EXPECT_EQ(std::ranges::count_if(weights, sound), static_cast<std::ptrdiff_t>(weights.size()) - 1);
    EXPECT_FALSE(sound(weights[place]));
    // From the state before, all is well again: what was found is told once.
    engine_->replica().write_parameters(before[0]);
    for (int slot = 0; slot < slots(); ++slot)
      engine_->replica().write_slot(slot, before[static_cast<std::size_t>(slot) + 1]);
    engine_->replica().write_gradients(good);
    inspect_all();
    const UpdateResult next = engine_->replica().update({2, 1, rates_});
    EXPECT_TRUE(next.finite);
    EXPECT_FALSE(next.weights_sound) << "of the update before";
    inspect_all();
    EXPECT_TRUE(engine_->replica().update({3, 1, rates_}).weights_sound);
    engine_->replica().write_parameters(before[0]);
    for (int slot = 0; slot < slots(); ++slot)
      engine_->replica().write_slot(slot, before[static_cast<std::size_t>(slot) + 1]);
  }
}

TEST_P(EngineUpdate, LargeGradientsAreFinite) {
  std::vector<float> gradients(table().size());
  gradients[0] = gradients[1] = 3e38F;
  engine_->replica().write_gradients(gradients);
  inspect_all();
  const UpdateResult result = engine_->replica().update({1, 1e-30F, rates_});
  EXPECT_TRUE(result.finite);
  EXPECT_NEAR(result.gradient_norm, std::sqrt(2.0) * 3e8, 1e3);
}

TEST_P(EngineUpdate, StatesCarryOver) {
  const UpdateStep first{1, 1, rates_}, second{2, 1, rates_};
  engine_->replica().write_gradients(random_parameters(table(), 73));
  inspect_all();
  engine_->replica().update(first);
  EngineUnderTest resumed(GetParam().target, spec_, input_, settings_);
  resumed.replica().write_parameters(engine_->read_parameters());
  for (int slot = 0; slot < slots(); ++slot) resumed.replica().write_slot(slot, engine_->read_slot(slot));
  const std::vector<float> gradients = random_parameters(table(), 74);
  for (TrainingReplica* replica : {&engine_->replica(), &resumed.replica()}) {
    replica->write_gradients(gradients);
    replica->gradients_summed(0, table().size());
    replica->update(second);
  }
  EXPECT_EQ(resumed.read_parameters(), engine_->read_parameters());
  for (int slot = 0; slot < slots(); ++slot) EXPECT_EQ(resumed.read_slot(slot), engine_->read_slot(slot));
}

TEST_P(EngineUpdate, TrainsAsTheReference) {
  const TestBatch batch = random_batch(input_, 9, 8, TransformKind::warp, 81);
  ReferenceOptimizer optimizer(settings_, table());
  for (TensorRate& rate : rates_) rate = {GetParam().rule == OptimizerRule::adam ? 1e-4F : 2e-3F, 1e-3F};
  const auto program = engine_->compile(8);
  double first_loss = 0, loss = 0;
  for (int number = 1; number <= 8; ++number) {
    const PassContext context{5, number - 1, 1.0 / 8};
    program->forward(batch.view(), context);
    engine_->reference().forward(batch.view(), Mode::training, context);
    loss = program->metrics().loss;
    if (number == 1) first_loss = loss;
    // Errors of 1e-5 grow by small factors from step to step.
    ASSERT_NEAR(loss, engine_->reference().metrics().loss, 1e-3 * loss) << "update " << number;
    program->backward(false, [](std::size_t) {});
    engine_->reference().backward(context.gradient_scale, false);
    const UpdateStep step{number, 1, rates_};
    inspect_all();
    engine_->replica().update(step);
    optimizer.update(step, engine_->reference().gradients(), engine_->reference().parameters());
  }
  EXPECT_LT(loss, 0.9 * first_loss) << "eight updates on eight images teach something";
}

}  // namespace
}  // namespace convoy::test
