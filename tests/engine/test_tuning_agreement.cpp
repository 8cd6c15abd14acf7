// Ranks on hosts with different kept answers, or different speeds, all use rank 0's.
#include <gtest/gtest.h>

#include <memory>

#include "engine/fake_question.hpp"
#include "support/mpi_test.hpp"

namespace convoy::test {
namespace {

TEST(TuningAgreement, RanksWithDifferentCachesUseRankZeros) {
  FakeBench bench;
  const std::vector<FakeCandidate> candidates = {{"first", 3}, {"second", 2}, {"third", 1}};
  const auto memory = std::make_shared<FakeMemory>();
  TunerOptions options{.deterministic = false,
                       .leads = world().rank() == 0,
                       .agree = [](const std::string& mine) { return world().broadcast_text(mine); },
                       .memory = memory};
  const bool first = world().rank() == 0;
  Decision kept{.what = "fc6, forward", .key = "kept", .chosen = first ? "second" : "first", .trials = {}};
  for (const FakeCandidate& one : candidates) kept.trials.push_back({.name = one.name});
  memory->keep(kept, true);
  Tuner tuner(options);
  EXPECT_EQ(tuner.choose(fake_question(bench, candidates, "kept"), bench), 1U);
  // Here rank 0 finds the last one fastest, the others would find the first.
  std::vector<FakeCandidate> measured = candidates;
  if (!first) measured[0].milliseconds = 0.5;
  EXPECT_EQ(tuner.choose(fake_question(bench, measured, "measured"), bench), 2U);
  EXPECT_EQ(tuner.decisions()[1].source, first ? DecisionSource::measured : DecisionSource::rank_zero);
  EXPECT_EQ(bench.timed, first ? 3 : 0);
  // Known by now: no rank asks another.
  EXPECT_EQ(tuner.choose(fake_question(bench, measured, "measured"), bench), 2U);
}

}  // namespace
}  // namespace convoy::test
