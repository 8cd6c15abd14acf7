// Ranks compare what must be the same everywhere; a difference is found, named and thrown on every rank.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/mpi_test.hpp"
#include "train/agreement.hpp"
#include "train/step_sums.hpp"

namespace convoy::test {
namespace {

TEST(Agreement, EqualTextsPass) {
  EXPECT_NO_THROW(require_same_text(world(), "configuration", "a = 1\nb = 2\n", ExitCode::usage));
}

TEST(Agreement, ADifferenceIsNamedOnEveryRank) {
  if (world().size() == 1) GTEST_SKIP() << "needs two ranks";
  const int last = world().size() - 1;
  const std::string mine = fmt::format("a = 1\nlr = {}\n", world().rank() == last ? "0.02" : "0.01");
  try {
    require_same_text(world(), "configuration", mine, ExitCode::usage);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::usage);
    const std::string text = error.what();
    EXPECT_NE(text.find(fmt::format("rank {}", last)), std::string::npos) << text;
    EXPECT_NE(text.find("'lr = 0.01' on rank 0, 'lr = 0.02' there"), std::string::npos) << text;
  }
}

TEST(Agreement, AReplicaThatDiffersIsFoundWithItsTensor) {
  const std::vector<std::string> names = {"conv1/weight", "conv1/bias", "fc8/weight"};
  std::vector<std::uint64_t> hashes = {1, 2, 3};
  EXPECT_NO_THROW(require_same_hashes(world(), names, hashes, 7));
  if (world().size() == 1) return;
  if (world().rank() == 1) hashes[1] = 9, hashes[2] = 9;
  try {
    require_same_hashes(world(), names, hashes, 7);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::device);
    const std::string text = error.what();
    EXPECT_NE(text.find("step 7"), std::string::npos) << text;
    EXPECT_NE(text.find("conv1/bias on rank 1"), std::string::npos) << text;
  }
}

TEST(StepSums, ComeInOrderAfterTheDelay) {
  StepSumQueue queue(world());
  StepSums sums;
  const auto ranks = static_cast<std::int64_t>(world().size());
  for (std::int64_t step = 1; step <= 5; ++step) {
    const bool last_rank = world().rank() + 1 == world().size();
    queue.push(step, {.loss = static_cast<double>(step), .top1 = 1, .top5 = 2, .samples = 4},
               !(step == 2 && last_rank), step == 4 && last_rank);
    EXPECT_EQ(queue.pop(StepSumQueue::delay, sums), step > 3);
    if (step > 3) {
      EXPECT_EQ(sums.step, step - 3);
    }
  }
  // Steps 1 and 2 were taken above; sums now holds step 2, which the last rank called not finite.
  EXPECT_FALSE(sums.finite);
  EXPECT_EQ(sums.loss, 2.0 * static_cast<double>(ranks - 1));  // the bad rank's loss is left out
  for (std::int64_t step = 3; step <= 5; ++step) {
    ASSERT_TRUE(queue.pop(0, sums));
    EXPECT_EQ(sums.step, step);
    EXPECT_TRUE(sums.finite);
    EXPECT_EQ(sums.stop, step == 4);
    EXPECT_EQ(sums.samples, 4 * ranks);
    EXPECT_EQ(sums.loss, static_cast<double>(step * ranks));
  }
  EXPECT_FALSE(queue.pop(0, sums));
}

}  // namespace
}  // namespace convoy::test
