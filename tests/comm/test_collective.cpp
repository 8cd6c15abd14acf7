#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "comm/mpi_collective.hpp"
#include "support/mpi_test.hpp"

namespace convoy::test {
namespace {

// The values of one rank: of very different sizes, so that any other order of adding gives other bits.
std::vector<float> values_of(int rank, std::size_t count) {
  std::mt19937 generator(static_cast<unsigned>(rank) * 7919u + 1u);
  std::vector<float> values(count);
  for (float& value : values) {
    const auto bits = generator();
    value = std::ldexp(static_cast<float>(bits & 0xFFFFFF) / 16777216.0F - 0.5F,
                       static_cast<int>(bits >> 24) % 30 - 15);
  }
  return values;
}

// ((x0 + x1) + x2) + …
std::vector<float> sums(std::size_t count) {
  std::vector<float> total = values_of(0, count);
  for (int rank = 1; rank < world().size(); ++rank) {
    const auto more = values_of(rank, count);
    for (std::size_t i = 0; i < count; ++i) total[i] += more[i];
  }
  return total;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return false;
  return a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

class CollectiveTest : public testing::TestWithParam<bool> {
 protected:
  std::unique_ptr<Collective> collective_ = make_mpi_collective(world(), GetParam());
};

TEST_P(CollectiveTest, SaysWhatItIs) {
  EXPECT_EQ(collective_->name(), world().size() == 1 ? "none" : "mpi");
}

// Sizes around the number of ranks (parts of no element), around blocks, and slices longer than a piece.
TEST_P(CollectiveTest, SumsInOrderOfRanksBitForBit) {
  for (const std::size_t count : {0, 1, 2, 3, 5, 64, 4095, 4096, 4097, 100'003, (4 << 20) + 7}) {
    auto values = values_of(world().rank(), count);
    collective_->start(values);
    collective_->finish_next();
    EXPECT_TRUE(same_bits(values, sums(count))) << count << " elements";
  }
}

// Slices of one buffer under way together, as the buckets of a step are; the bits do not depend on the cut.
TEST_P(CollectiveTest, ManySlicesUnderWay) {
  const std::size_t count = 1'000'000;
  const auto expected = sums(count);
  for (const std::size_t slice : {9'999, 64'000, 1'000'000}) {
    auto values = values_of(world().rank(), count);
    int started = 0;
    for (std::size_t begin = 0; begin < count; begin += slice, ++started) {
      collective_->start(std::span(values).subspan(begin, std::min(slice, count - begin)));
      collective_->progress();
    }
    for (std::size_t begin = 0; started > 0; --started, begin += slice) {
      collective_->finish_next();
      const std::size_t here = std::min(slice, count - begin);
      // What was reported is final, whatever is still under way.
      ASSERT_EQ(std::memcmp(values.data() + begin, expected.data() + begin, here * sizeof(float)), 0);
    }
  }
}

// A rank that comes late, another in each round, and control-plane calls in between.
TEST_P(CollectiveTest, RanksNeedNotBeInStep) {
  const auto expected = sums(50'000);
  for (int round = 0; round < 40; ++round) {
    auto values = values_of(world().rank(), 50'000);
    if (round % world().size() == world().rank()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    collective_->start(std::span(values).first(20'000));
    double rank = world().rank();
    world().sum(std::span(&rank, 1));
    collective_->start(std::span(values).subspan(20'000));
    collective_->finish_next();
    collective_->finish_next();
    ASSERT_TRUE(same_bits(values, expected)) << "round " << round;
  }
}

TEST_P(CollectiveTest, TwoAtATimeDoNotMix) {
  const auto other = make_mpi_collective(world(), !GetParam());
  auto first = values_of(world().rank(), 70'000);
  auto second = values_of(world().rank(), 30'000);
  collective_->start(first);
  other->start(second);
  // In the order that suits; a progressed one advances only while it is asked.
  collective_->finish_next();
  other->finish_next();
  EXPECT_TRUE(same_bits(first, sums(70'000)));
  EXPECT_TRUE(same_bits(second, sums(30'000)));
}

// What make_collective refuses for this combination; empty: it does not.
std::string refusal(const CollectiveOptions& options) {
  try {
    make_collective(world(), options);
    return {};
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::usage);
    return error.what();
  }
}

TEST(MakeCollective, RefusesWhatDoesNotGoTogether) {
  EXPECT_NE(refusal({.kind = CollectiveKind::nccl}).find("--collective auto or mpi"), std::string::npos);
  for (const CollectiveKind kind : {CollectiveKind::automatic, CollectiveKind::mpi})
    EXPECT_NE(refusal({.kind = kind, .wire = WirePrecision::bf16}).find("--wire-precision fp32"),
              std::string::npos);
  // On a GPU, by MPI: the way out is named. Refused before the stream is looked into.
  int stream = 0;
  EXPECT_NE(refusal({.kind = CollectiveKind::mpi, .wire = WirePrecision::fp16, .compute = {&stream}})
                .find("or --collective nccl"),
            std::string::npos);
}

TEST(MakeCollective, TakesMpiForHostMemory) {
  for (const CollectiveKind kind : {CollectiveKind::automatic, CollectiveKind::mpi}) {
    const auto collective = make_collective(world(), {.kind = kind});
    EXPECT_EQ(collective->name(), world().size() == 1 ? "none" : "mpi");
    EXPECT_EQ(collective->capturable(), world().size() == 1);  // without ranks there is nothing to wait for
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, CollectiveTest, testing::Bool(),
                         [](const auto& spare) { return spare.param ? "SpareCore" : "NoSpareCore"; });

}  // namespace
}  // namespace convoy::test
