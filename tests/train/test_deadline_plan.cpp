// How early a run stops before its deadline.
#include <gtest/gtest.h>

#include "train/deadline_plan.hpp"

namespace convoy {
namespace {

constexpr std::uint64_t bytes = 500'000'000;
constexpr double day = 86'400;

TEST(DeadlinePlan, CheckpointsAreGuessedByTheirSizeUntilOneWasWritten) {
  Pace pace(bytes);
  EXPECT_EQ(pace.checkpoint(), 10);
  pace.add_checkpoint(2);
  EXPECT_EQ(pace.checkpoint(), 2);
}

// One that is slow is remembered longer than it lasts.
TEST(DeadlinePlan, TheLongestTimeOfLateCounts) {
  Pace pace(bytes);
  pace.add_checkpoint(2);
  pace.add_checkpoint(20);
  pace.add_checkpoint(2);
  EXPECT_EQ(pace.checkpoint(), 16);
  for (int i = 0; i < 20; ++i) pace.add_checkpoint(2);
  EXPECT_EQ(pace.checkpoint(), 2);
  pace.add_step(60);
  EXPECT_EQ(pace.step(), 60);  // until there is another
  pace.add_step(0.5);
  EXPECT_EQ(pace.step(), 0.5);
  pace.add_step(2);
  pace.add_step(0.5);
  EXPECT_NEAR(pace.step(), 1.96, 1e-9);
  for (int i = 0; i < 300; ++i) pace.add_step(0.5);
  EXPECT_EQ(pace.step(), 0.5);
}

TEST(DeadlinePlan, StepsOnTheirWayTwoCheckpointsAndAMarginMustFit) {
  Pace pace(bytes);
  pace.add_step(1);
  pace.add_checkpoint(5);
  EXPECT_EQ(seconds_needed(pace, 1000), 6 * 1 + 2 * 5 + 20);  // 2 % of the run
  EXPECT_EQ(seconds_needed(pace, day), 6 * 1 + 2 * 5 + 30);   // at most
  EXPECT_EQ(seconds_needed(pace, 10), 6 * 1 + 2 * 5 + 2);     // at least
}

TEST(DeadlinePlan, SlurmIsAskedMoreOftenTowardsTheEndButNotWithoutPause) {
  EXPECT_EQ(question_interval(day), 300);
  EXPECT_EQ(question_interval(500), 100);
  EXPECT_EQ(question_interval(10), 15);
  EXPECT_EQ(question_interval(-10), 15);
}

}  // namespace
}  // namespace convoy
