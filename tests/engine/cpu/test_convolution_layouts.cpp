// Every way to lay out every chain of a convolution and the operations behind it, in all networks with their
// real channels on small maps, against the double-precision reference: forward and backward. A memory of
// answers says which candidate the engine takes.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>

#include "engine/engine_under_test.hpp"
#include "model/networks.hpp"

namespace convoy::test {
namespace {

constexpr int rows = 2;

// Lets the engine measure, and remembers what it found; or answers with the candidate of a number, where that
// is known and was served.
class ForcingMemory final : public TuningMemory {
 public:
  std::optional<Decision> find(const std::string& key) const override {
    const auto known = decisions.find(key);
    if (!forced || known == decisions.end()) return std::nullopt;
    Decision decision = known->second;
    const Trial& trial = decision.trials.at(*forced);
    if (is_served(trial)) decision.chosen = trial.name;
    return decision;
  }
  Decision keep(const Decision& decision, bool) override {
    decisions[decision.key] = decision;
    return decision;
  }
  static bool is_served(const Trial& trial) {
    return trial.outcome == TrialOutcome::chosen || trial.outcome == TrialOutcome::slower;
  }
  bool served(const std::string& name) const {
    return std::ranges::any_of(decisions, [&](const auto& each) {
      return std::ranges::any_of(each.second.trials,
                                 [&](const Trial& trial) { return trial.name == name && is_served(trial); });
    });
  }
  // In how many chains the candidate was served.
  std::ptrdiff_t served(std::size_t candidate) const {
    return std::ranges::count_if(decisions, [&](const auto& each) {
      return candidate < each.second.trials.size() && is_served(each.second.trials[candidate]);
    });
  }
  std::size_t most_candidates() const {
    std::size_t most = 0;
    for (const auto& each : decisions) most = std::max(most, each.second.trials.size());
    return most;
  }

  std::map<std::string, Decision> decisions;
  std::optional<std::size_t> forced;
};

// The layers of a network on the smallest maps that its kernels and pools leave something of, with few
// hidden units: layouts depend on channels.
NetSpec small_maps(const std::string& name) {
  NetSpec spec = make_network(name);
  if (spec.input.height > 67) spec.input.height = spec.input.width = 67;
  spec.stored_side = spec.input.height;
  for (Layer& layer : spec.layers)
    if (auto* f = std::get_if<FullyConnected>(&layer)) f->outputs = 16;
  return spec;
}

class ConvolutionLayouts : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    spec_ = small_maps(GetParam());
    input_ = test_input(spec_, spec_.stored_side);
    batch_ = random_batch(input_, class_count(spec_), rows, TransformKind::crop_and_mirror, 31);
  }

  EngineUnderTest engine() const { return {Target{}, spec_, input_, {}, 1, memory_}; }
  PassContext context() const { return {77, 5, 1.0 / rows}; }

  void expect_as_reference(EngineUnderTest& engine) const {
    const auto training = engine.compile(rows);
    expect_same_forward(engine, *training, batch_, Mode::training, context());
    expect_same_backward(engine, *training, context());
    const auto evaluation = engine.compile(rows, Mode::evaluation);
    expect_same_forward(engine, *evaluation, batch_, Mode::evaluation, context());
  }

  NetSpec spec_;
  InputSpec input_;
  TestBatch batch_;
  std::shared_ptr<ForcingMemory> memory_ = std::make_shared<ForcingMemory>();
};

INSTANTIATE_TEST_SUITE_P(All, ConvolutionLayouts, testing::ValuesIn(network_names()), [](const auto& each) {
  std::string name = each.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST_P(ConvolutionLayouts, AreAsTheReference) {
  {
    EngineUnderTest measured = engine();
    expect_as_reference(measured);
  }
  // Of each of the five convolutions, in training, in evaluation, and where every activation is kept.
  EXPECT_GE(memory_->decisions.size(), 10U);
  EXPECT_TRUE(memory_->served("input in patches"));
  EXPECT_TRUE(memory_->served("gradient of weights from nchw"));
  for (std::size_t candidate = 0; candidate < memory_->most_candidates(); ++candidate) {
    if (memory_->served(candidate) == 0) continue;
    SCOPED_TRACE(candidate);
    memory_->forced = candidate;
    // In other layouts a chain leaves another question to the next, which is measured before it is forced.
    for (bool all_forced = false; !all_forced;) {
      EngineUnderTest forced = engine();
      expect_as_reference(forced);
      all_forced = std::ranges::all_of(forced.replica().tuning_decisions(), [](const Decision& decision) {
        return decision.source == DecisionSource::kept;
      });
      for (const Decision& decision : forced.replica().tuning_decisions()) {
        if (decision.source != DecisionSource::kept) continue;
        EXPECT_EQ(decision.chosen, memory_->find(decision.key)->chosen) << decision.what;
      }
    }
  }
  for (const auto& [key, decision] : memory_->decisions) {
    for (const Trial& trial : decision.trials)
      EXPECT_NE(trial.outcome, TrialOutcome::wrong)
          << decision.what << " " << trial.name << ", off by " << trial.difference << " (" << key << ")";
  }
}

// The rule takes what it takes without a measurement, and asks nothing.
TEST_P(ConvolutionLayouts, AreChosenByRuleWhereNothingIsMeasured) {
  EngineUnderTest engine(Target{}, spec_, input_);
  const auto program = engine.compile(rows);
  EXPECT_TRUE(engine.replica().tuning_decisions().empty());
}

}  // namespace
}  // namespace convoy::test
