// Frozen values of everything random: a change here changes every run that was ever made.

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <set>
#include <vector>

#include "base/partition.hpp"
#include "base/random.hpp"

namespace convoy {
namespace {

std::array<std::uint32_t, 4> words(const PhiloxBlock& block) {
  return {block.word[0], block.word[1], block.word[2], block.word[3]};
}

using Words = std::array<std::uint32_t, 4>;

// The known answers published with Salmon et al.'s Random123 for philox4x32 with 10 rounds.
TEST(Philox, GivesThePublishedAnswers) {
  EXPECT_EQ(words(philox(0, {{0, 0, 0, 0}})), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(words(philox(~0ULL, {{~0U, ~0U, ~0U, ~0U}})),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(words(philox(0x299f31d0a4093822ULL, {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}})),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Counters, AreThoseOfTheTable) {
  const std::uint64_t seed = 0x0123456789abcdefULL;
  EXPECT_EQ(words(augmentation_block(seed, 7, 12345, 2)), words(philox(seed, {{12345, 7, 2, 3U << 24}})));
  EXPECT_EQ(words(order_block(seed, 7, 1, 99)), words(philox(seed, {{99, 7, 1, 2U << 24}})));
  EXPECT_EQ(words(weight_block(seed, 5, 0x100000002ULL)), words(philox(seed, {{2, 1, 5, 1U << 24}})));
  EXPECT_EQ(words(synthesis_block(seed, 3, 8, 1)), words(philox(seed, {{8, 3, 1, 5U << 24}})));
  // Bits 32 to 47 of the step stand beside the layer.
  EXPECT_EQ(words(dropout_block(seed, 0x000200000009ULL, 1, 17, 1023)),
            words(philox(seed, {{1023, 17, 9, 4U << 24 | 1U << 16 | 2U}})));
}

TEST(Counters, HaveFrozenValues) {
  EXPECT_EQ(words(augmentation_block(1, 0, 0, 0)), (Words{0xd555abcc, 0x949e27ea, 0x66287ca0, 0x2dc96c31}));
  EXPECT_EQ(words(order_block(1, 0, 0, 1)), (Words{0x6d48856d, 0xfedcd222, 0x290ee15d, 0x7d162cde}));
  EXPECT_EQ(words(weight_block(1, 0, 0)), (Words{0x9f3f38ef, 0x8c470732, 0x7e8a14f8, 0xfafa0288}));
  EXPECT_EQ(words(dropout_block(1, 0, 0, 0, 0)), (Words{0x177657cf, 0xfae03134, 0xed6f3c3b, 0xe22f2a63}));
  EXPECT_EQ(words(synthesis_block(1, 0, 0, 0)), (Words{0x2144d9c4, 0xa4ece8c5, 0xa4303103, 0xf351ba0f}));
}

// No two purposes, and no two fields of one, may share a counter.
TEST(Counters, NeverMeet) {
  std::set<Words> seen;
  std::size_t drawn = 0;
  for (std::uint32_t a = 0; a < 4; ++a)
    for (std::uint32_t b = 0; b < 4; ++b)
      for (std::uint32_t c = 0; c < 4; ++c) {
        for (const PhiloxBlock& block :
             {augmentation_block(1, a, b, c), order_block(1, a, b, c), synthesis_block(1, a, b, c),
              dropout_block(1, a, 0, b, c), dropout_block(1, a, 1, b, c)})
          seen.insert(words(block));
        seen.insert(words(weight_block(1, a, b * 0x100000000ULL + c)));
        drawn += 6;
      }
  EXPECT_EQ(seen.size(), drawn);
}

TEST(UnitFloat, LiesInItsHalfOpenInterval) {
  EXPECT_EQ(unit_float(0), 0.0F);
  EXPECT_EQ(unit_float(255), 0.0F);  // the lowest 8 bits do not count
  EXPECT_EQ(unit_float(0x80000000U), 0.5F);
  EXPECT_EQ(unit_float(~0U), 1.0F - 1.0F / 16777216.0F);
}

TEST(OpenUnitDouble, IsNeverZeroNorOne) {
  EXPECT_GT(open_unit_double(0), 0.0);
  EXPECT_LT(open_unit_double(~0U), 1.0);
  EXPECT_EQ(open_unit_double(0x80000000U), 0.5 + 0.5 / 4294967296.0);
}

TEST(BoundedInteger, CoversItsRangeEvenly) {
  EXPECT_EQ(bounded_integer(0, 0, 10), 0U);
  EXPECT_EQ(bounded_integer(~0U, ~0U, 10), 9U);
  EXPECT_EQ(bounded_integer(~0U, ~0U, 0x100000000ULL), 0xFFFFFFFFU);
  EXPECT_EQ(bounded_integer(0, 0x80000000U, 10), 5U);
  EXPECT_EQ(bounded_integer(12345, 67890, 1), 0U);
  // The high word alone would give 2 here; the low one carries.
  EXPECT_EQ(bounded_integer(0xFFFFFFFFU, 0xFFFFFFFFU, 3), 2U);

  constexpr int bound = 7, draws = 70000;
  std::vector<int> counts(bound, 0);
  for (std::uint32_t i = 0; i < draws; ++i) {
    const PhiloxBlock block = philox(99, {{i, 0, 0, 0}});
    ++counts[bounded_integer(block.word[0], block.word[1], bound)];
  }
  double chi_squared = 0;
  for (const int count : counts) chi_squared += std::pow(count - draws / bound, 2) / (draws / bound);
  EXPECT_LT(chi_squared,
            22.5);  // 6 degrees of freedom: exceeded by chance once in 1,000; the draws are fixed
}

TEST(NormalPair, HasFrozenValues) {
  const NormalPair pair = normal_pair(0x12345678, 0x9abcdef0);
  const double radius = std::sqrt(-2 * std::log((0x12345678 + 0.5) / 4294967296.0));
  const double angle = 2 * M_PI * (0x9abcdef0 + 0.5) / 4294967296.0;
  // The formula written out a second time: the last bits may be rounded otherwise.
  EXPECT_NEAR(pair.first, radius * std::cos(angle), 1e-14);
  EXPECT_NEAR(pair.second, radius * std::sin(angle), 1e-14);
}

TEST(NormalPair, IsStandardNormal) {
  double sum = 0, squares = 0, cross = 0, fourth = 0;
  constexpr int pairs = 50000;
  for (std::uint32_t i = 0; i < pairs; ++i) {
    const PhiloxBlock block = philox(3, {{i, 1, 2, 3}});
    const NormalPair pair = normal_pair(block.word[0], block.word[1]);
    ASSERT_TRUE(std::isfinite(pair.first) && std::isfinite(pair.second));
    sum += pair.first + pair.second;
    squares += pair.first * pair.first + pair.second * pair.second;
    cross += pair.first * pair.second;
    fourth += std::pow(pair.first, 4) + std::pow(pair.second, 4);
  }
  // Four standard errors of each estimate.
  EXPECT_NEAR(sum / (2 * pairs), 0, 4 / std::sqrt(2.0 * pairs));
  EXPECT_NEAR(squares / (2 * pairs), 1, 4 * std::sqrt(2.0 / (2 * pairs)));
  EXPECT_NEAR(cross / pairs, 0, 4 / std::sqrt(1.0 * pairs));
  EXPECT_NEAR(fourth / (2 * pairs), 3, 4 * std::sqrt(96.0 / (2 * pairs)));
}

TEST(NormalPair, StaysFiniteAtTheEnds) {
  for (const std::uint32_t bits : {0U, 1U, ~0U})
    EXPECT_TRUE(std::isfinite(normal_pair(bits, ~bits).first) &&
                std::isfinite(normal_pair(bits, bits).second));
}

TEST(DropoutThreshold, IsTheProbability) {
  EXPECT_EQ(dropout_threshold(0), 0U);
  EXPECT_EQ(dropout_threshold(0.5), 0x80000000U);
  EXPECT_EQ(dropout_threshold(0.25), 0x40000000U);
}

TEST(PartOf, CutsEverythingIntoEvenParts) {
  for (const std::int64_t total : {0, 1, 2, 7, 64, 1000003}) {
    for (const int parts : {1, 2, 3, 5, 8, 64}) {
      std::int64_t next = 0;
      for (int i = 0; i < parts; ++i) {
        const Range part = part_of(total, parts, i);
        EXPECT_EQ(part.begin, next);
        EXPECT_GE(part.size(), total / parts);
        EXPECT_LE(part.size(), (total + parts - 1) / parts);
        next = part.end;
      }
      EXPECT_EQ(next, total);
    }
  }
}

}  // namespace
}  // namespace convoy
