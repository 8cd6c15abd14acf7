// Predictions of single images: their order, and that ranks together have every image once.
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "inference/sample_predictions.hpp"
#include "support/mpi_test.hpp"

namespace convoy::test {
namespace {

using Top = std::array<std::int32_t, 5>;

TEST(SamplePredictions, TheMostProbableFirstAndEqualOnesByClass) {
  const std::vector<float> scores = {0.1F, 0.2F, 0.05F, 0.2F, 0.3F, 0.05F, 0.1F};
  const SamplePrediction one = predict_sample(7, 3, scores);
  EXPECT_EQ(one.sample, 7U);
  EXPECT_EQ(one.truth, 3);
  EXPECT_EQ(one.top, (Top{4, 1, 3, 0, 6}));
  EXPECT_EQ(one.probability, 0.3F);
}

TEST(SamplePredictions, FewClassesLeavePlacesEmpty) {
  EXPECT_EQ(predict_sample(0, 0, std::vector<float>{0.25F, 0.75F}).top, (Top{1, 0, -1, -1, -1}));
  EXPECT_EQ(predict_sample(0, 0, std::vector<float>{1.0F}).top, (Top{0, -1, -1, -1, -1}));
}

TEST(SamplePredictions, AllOrdersOfSevenScores) {
  std::vector<float> scores = {1, 2, 3, 4, 5, 6, 7};
  do {
    const Top top = predict_sample(0, 0, scores).top;
    for (std::size_t place = 0; place < top.size(); ++place)
      ASSERT_EQ(scores[static_cast<std::size_t>(top[place])], 7.0F - static_cast<float>(place));
  } while (std::next_permutation(scores.begin(), scores.end()));
}

TEST(SamplePredictions, ANetworkOfNaNsStillHasPredictions) {
  const std::vector<float> scores(6, std::numeric_limits<float>::quiet_NaN());
  Top top = predict_sample(0, 5, scores).top;
  std::ranges::sort(top);
  EXPECT_EQ(std::ranges::adjacent_find(top), top.end());
  EXPECT_GE(top[0], 0);
}

TEST(SamplePredictions, RanksGatherThemInOrder) {
  std::vector<SamplePrediction> mine;
  const int rank = world().rank(), ranks = world().size();
  for (std::uint32_t i = 0; i < 4; ++i)
    mine.push_back(predict_sample(i * static_cast<std::uint32_t>(ranks) + static_cast<std::uint32_t>(rank),
                                  rank, std::vector<float>{0.25F, 0.75F}));
  if (rank == 0) mine.pop_back();  // ranks may have different numbers of images
  const std::vector<SamplePrediction> all = gather_predictions(world(), mine);
  ASSERT_EQ(all.size(), static_cast<std::size_t>(4 * ranks - 1));
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::size_t sample = i < static_cast<std::size_t>(3 * ranks) ? i : i + 1;
    EXPECT_EQ(all[i].sample, sample);
    EXPECT_EQ(all[i].truth, static_cast<int>(sample) % ranks);
    EXPECT_EQ(all[i].probability, 0.75F);
  }
}

}  // namespace
}  // namespace convoy::test
