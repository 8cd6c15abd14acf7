// What slows a run down: when it is told, with whom and which remedy, and when not.
#include <gtest/gtest.h>

#include "train/run_advice.hpp"

namespace convoy {
namespace {

using Change = Advice::Change;

AdviceFacts facts(int ranks) {
  AdviceFacts result{.hosts = {}, .nodes = 2, .workers = 2, .nccl = true, .wire = WirePrecision::fp32};
  for (int rank = 0; rank < ranks; ++rank) result.hosts.push_back("node" + std::to_string(rank));
  return result;
}

// Judges `count` times 20 steps of one second; the first time of an advisor does not count.
std::vector<Advice> judge(RunAdvisor& advisor, const std::vector<RankTimes>& ranks, int count = 1) {
  std::vector<Advice> all;
  for (int i = 0; i < count; ++i)
    for (Advice& advice : advisor.judge({.steps = 20, .seconds = 20, .ranks = ranks}))
      all.push_back(std::move(advice));
  return all;
}

// A rank that computes for `computing` of each second and waits for input for `input` of it.
RankTimes rank(double computing, double input = 0, double exposed = 0) {
  return {.computing = 20 * computing, .input = 20 * input, .exposed = 20 * exposed};
}

TEST(RunAdvice, AHealthyRunHearsNothing) {
  RunAdvisor advisor(facts(4));
  EXPECT_TRUE(judge(advisor, {rank(0.9), rank(0.95, 0.02), rank(0.9, 0.1, 0.1), rank(1.0)}, 50).empty());
}

TEST(RunAdvice, AStarvedRunHearsTheRemedyOnce) {
  RunAdvisor advisor(facts(1));
  EXPECT_TRUE(judge(advisor, {rank(0.69, 0.31)}, 2).empty()) << "warming up, and one hiccup";
  const std::vector<Advice> told = judge(advisor, {rank(0.69, 0.31)});
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].what, "starved");
  EXPECT_EQ(told[0].change, Change::begins);
  EXPECT_EQ(told[0].text,
            "input waits 31 % of the step: raise --workers (now 2) or copy the shards to a local disk with "
            "--stage");
  EXPECT_TRUE(judge(advisor, {rank(0.69, 0.31)}, 100).empty());
}

TEST(RunAdvice, AStagedRunIsNotToldToStage) {
  AdviceFacts staged = facts(1);
  staged.staged = true;
  RunAdvisor advisor(staged);
  const std::vector<Advice> told = judge(advisor, {rank(0.69, 0.31)}, 3);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].text, "input waits 31 % of the step: raise --workers (now 2)");
}

TEST(RunAdvice, ItIsToldWhenItWorsensAndWhenItClears) {
  RunAdvisor advisor(facts(1));
  ASSERT_EQ(judge(advisor, {rank(0.7, 0.3)}, 3).size(), 1U);
  EXPECT_TRUE(judge(advisor, {rank(0.6, 0.4)}, 5).empty());
  const std::vector<Advice> worse = judge(advisor, {rank(0.4, 0.6)}, 5);
  ASSERT_EQ(worse.size(), 1U);
  EXPECT_EQ(worse[0].change, Change::worsens);
  EXPECT_TRUE(worse[0].text.starts_with("input now waits 60 % of the step")) << worse[0].text;
  EXPECT_TRUE(judge(advisor, {rank(0.85, 0.15)}, 20).empty()) << "between the two limits nothing changes";
  const std::vector<Advice> clear = judge(advisor, {rank(0.95, 0.05)}, 5);
  ASSERT_EQ(clear.size(), 1U);
  EXPECT_EQ(clear[0].change, Change::clears);
}

// A measure that swings about the limits would otherwise fill the log.
TEST(RunAdvice, RepetitionIsLimited) {
  RunAdvisor advisor(facts(1));
  std::size_t told = judge(advisor, {rank(0.6, 0.4)}, 3).size();
  for (int i = 0; i < 25; ++i)
    told += judge(advisor, {rank(1, 0)}, 2).size() + judge(advisor, {rank(0.6, 0.4)}, 2).size();
  EXPECT_GE(told, 3U);
  EXPECT_LE(told, 20U) << "100 judgements";
}

TEST(RunAdvice, AHiccupIsNotTold) {
  RunAdvisor advisor(facts(2));
  judge(advisor, {rank(1), rank(1)});
  for (int i = 0; i < 30; ++i) {
    EXPECT_TRUE(judge(advisor, {rank(1), rank(2, 0.5)}).empty());
    EXPECT_TRUE(judge(advisor, {rank(1), rank(1)}, 2).empty());
  }
}

// With --log-every 1 a record may be a few milliseconds.
TEST(RunAdvice, ShortRecordsAreJudgedTogether) {
  RunAdvisor advisor(facts(1));
  const std::vector<RankTimes> starved = {{.computing = 0.05, .input = 0.05, .exposed = 0}};
  int records = 0;
  while (advisor.judge({.steps = 1, .seconds = 0.1, .ranks = starved}).empty()) ASSERT_LT(++records, 1000);
  EXPECT_NEAR(records, 60, 2) << "two judgements of three seconds";
}

TEST(RunAdvice, AStragglerIsNamedWithItsHost) {
  RunAdvisor advisor(facts(4));
  const std::vector<Advice> told = judge(advisor, {rank(0.7), rank(0.69), rank(0.71), rank(0.98)}, 3);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].what, "straggler");
  EXPECT_EQ(told[0].text.substr(0, told[0].text.find(" ranks wait")),
            "rank 3 on node3 is 1.4 × slower than the median (0.98 s of work in a step, not 0.7 s), and all")
      << told[0].text;
  EXPECT_TRUE(judge(advisor, {rank(0.7), rank(0.69), rank(0.71), rank(0.98)}, 50).empty());
}

TEST(RunAdvice, OfTwoRanksTheSlowOneIsComparedWithTheOther) {
  RunAdvisor advisor(facts(2));
  const std::vector<Advice> told = judge(advisor, {rank(1.0), rank(0.5)}, 3);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(told[0].text.starts_with("rank 0 on node0 is 2.0 × slower than the other")) << told[0].text;
  const std::vector<Advice> clear = judge(advisor, {rank(1.0), rank(0.97)}, 3);
  ASSERT_EQ(clear.size(), 1U);
  EXPECT_EQ(clear[0].change, Change::clears);
}

TEST(RunAdvice, AnotherStragglerIsAnotherAdvice) {
  RunAdvisor advisor(facts(3));
  ASSERT_EQ(judge(advisor, {rank(1.5), rank(1), rank(1)}, 3).size(), 1U);
  const std::vector<Advice> told = judge(advisor, {rank(1), rank(1.5), rank(1)}, 20);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(told[0].text.starts_with("rank 1 on node1")) << told[0].text;
}

// Its input makes it slow, not its computing: the advice is about input and names it.
TEST(RunAdvice, ARankWhoseInputIsSlowIsNamed) {
  RunAdvisor advisor(facts(3));
  const std::vector<Advice> told =
      judge(advisor, {rank(0.6, 0, 0.4), rank(0.6, 0, 0.4), rank(0.6, 0.4, 0)}, 3);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(told[0].text.starts_with("input waits 40 % of the step on rank 2 on node2: raise --workers"))
      << told[0].text;
}

// Ranks that wait for a slower one wait for it, not for the network.
TEST(RunAdvice, ExposedCommunicationIsThatOfTheRankWhichAllWaitFor) {
  RunAdvisor advisor(facts(2));
  for (const Advice& advice : judge(advisor, {rank(0.5, 0, 0.5), rank(0.95, 0, 0.05)}, 20))
    EXPECT_EQ(advice.what, "straggler");
  const std::vector<Advice> told = judge(advisor, {rank(0.6, 0, 0.4), rank(0.58, 0, 0.42)}, 20);
  ASSERT_EQ(told.size(), 2U) << "the straggler has caught up, and the network has become slow";
  EXPECT_EQ(told[1].what, "communication");
  EXPECT_EQ(told[1].text,
            "sums of gradients take 40 % of the step beyond the computation that hides them: try a larger "
            "--global-batch, --wire-precision bf16 or a faster network");
}

TEST(RunAdvice, RemediesSuitTheRun) {
  AdviceFacts cpus = facts(2);
  cpus.nccl = false;
  cpus.nodes = 1;
  RunAdvisor advisor(cpus);
  const std::vector<Advice> told = judge(advisor, {rank(0.5, 0, 0.5), rank(0.5, 0, 0.5)}, 3);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(told[0].text.ends_with("try a larger --global-batch or fewer ranks with more --threads"))
      << told[0].text;
}

}  // namespace
}  // namespace convoy
