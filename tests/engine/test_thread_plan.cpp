// Sharing out cores: ranks that float over a node, ranks that the launcher bound, several nodes.
#include <gtest/gtest.h>

#include "engine/thread_plan.hpp"

namespace convoy {
namespace {

TEST(ThreadPlan, FloatingRanksShareTheNode) {
  const std::vector<RankCores> ranks(2, RankCores{0, {0, 1, 2, 3, 4, 5, 6, 7}});
  EXPECT_EQ(share_cores(ranks), (std::vector<int>{4, 4}));
  EXPECT_FALSE(has_spare_cores(ranks, std::vector<int>{4, 4}));
  EXPECT_TRUE(has_spare_cores(ranks, std::vector<int>{3, 4}));
}

TEST(ThreadPlan, BoundRanksKeepTheirCores) {
  const std::vector<RankCores> ranks = {{0, {0, 1}}, {0, {2, 3}}, {1, {0, 1, 2, 3}}};
  EXPECT_EQ(share_cores(ranks), (std::vector<int>{2, 2, 4}));
}

TEST(ThreadPlan, MoreRanksThanCoresGetOneEach) {
  const std::vector<RankCores> ranks(4, RankCores{0, {0, 1}});
  EXPECT_EQ(share_cores(ranks), (std::vector<int>{1, 1, 1, 1}));
  EXPECT_FALSE(has_spare_cores(ranks, std::vector<int>(4, 1)));
}

// A container on a machine of eight cores that may use the time of 2.5 of them.
TEST(ThreadPlan, RanksOfANodeShareItsQuota) {
  const std::vector<int> all = {0, 1, 2, 3, 4, 5, 6, 7};
  EXPECT_EQ(share_cores(std::vector{RankCores{0, all, 2.5}}), (std::vector<int>{2}));
  EXPECT_EQ(share_cores(std::vector<RankCores>(2, {0, all, 2.5})), (std::vector<int>{1, 1}));
  EXPECT_EQ(share_cores(std::vector{RankCores{0, all, 0.5}}), (std::vector<int>{1}));
  EXPECT_EQ(share_cores(std::vector{RankCores{0, {3}, 2.5}}), (std::vector<int>{1}))
      << "the mask is narrower";
  EXPECT_EQ(share_cores(std::vector{RankCores{0, all, 6}, RankCores{1, all, 0}}), (std::vector<int>{6, 8}));
  const std::vector<RankCores> two(2, {0, all, 3});
  EXPECT_TRUE(has_spare_cores(two, std::vector<int>{1, 1}));
  EXPECT_FALSE(has_spare_cores(two, std::vector<int>{1, 2}));
}

TEST(ThreadPlan, OneFullNodeMeansNoSpareCore) {
  const std::vector<RankCores> ranks = {{0, {0, 1, 2}}, {1, {0, 1}}};
  EXPECT_FALSE(has_spare_cores(ranks, std::vector<int>{2, 2}));
  EXPECT_TRUE(has_spare_cores(ranks, std::vector<int>{2, 1}));
}

}  // namespace
}  // namespace convoy
