// Ranks compare what must be the same everywhere; a difference is found, named and thrown on every rank.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/mpi_test.hpp"
#include "train/agreement.hpp"

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

}  // namespace
}  // namespace convoy::test
