#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "inference/evaluation.hpp"

namespace convoy {
namespace {

TEST(RankOfLabel, EqualScoresRankTheLowerIndexFirst) {
  const std::vector<float> scores = {0.25F, 0.5F, 0.25F, 0.0F};
  EXPECT_EQ(rank_of_label(scores, 1), 0);
  EXPECT_EQ(rank_of_label(scores, 0), 1);
  EXPECT_EQ(rank_of_label(scores, 2), 2);
  EXPECT_EQ(rank_of_label(scores, 3), 3);
}

TEST(RankOfLabel, NotANumberIsNeverRight) {
  const std::vector<float> scores(6, std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(rank_of_label(scores, 0), 5);
}

}  // namespace
}  // namespace convoy
