// The engines' memory plan: pieces that live at the same time never overlap, others share memory.
#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "base/philox.hpp"
#include "engine/memory_plan.hpp"

namespace convoy::test {
namespace {

constexpr std::size_t page = 4096;

std::size_t in_pages(std::size_t bytes) {
  return (bytes + page - 1) / page * page;
}

void expect_sound(const std::vector<PlannedPiece>& pieces, std::size_t total) {
  for (std::size_t a = 0; a < pieces.size(); ++a) {
    EXPECT_EQ(pieces[a].offset % page, 0U);
    EXPECT_LE(pieces[a].offset + pieces[a].bytes, total);
    for (std::size_t b = 0; b < a; ++b) {
      const bool together = pieces[a].first <= pieces[b].last && pieces[b].first <= pieces[a].last;
      const bool overlap = pieces[a].offset < pieces[b].offset + pieces[b].bytes &&
                           pieces[b].offset < pieces[a].offset + pieces[a].bytes;
      EXPECT_FALSE(together && overlap) << "pieces " << a << " and " << b;
    }
  }
}

TEST(CpuMemoryPlan, NothingNeedsNothing) {
  std::vector<PlannedPiece> pieces;
  EXPECT_EQ(plan_memory(pieces), 0U);
}

// A chain as in evaluation: each activation dies when the next but one is born, so two places are enough.
TEST(CpuMemoryPlan, AChainOfEqualActivationsTakesTwoPlaces) {
  std::vector<PlannedPiece> pieces;
  for (int time = 0; time < 10; ++time)
    pieces.push_back({.bytes = 3 * page, .first = time, .last = time + 1});
  const std::size_t total = plan_memory(pieces);
  expect_sound(pieces, total);
  EXPECT_EQ(total, 6 * page);
}

// What lives to the end cannot be shared: the arena is the sum, in whole pages.
TEST(CpuMemoryPlan, WhatLivesTogetherAddsUp) {
  std::vector<PlannedPiece> pieces;
  std::size_t sum = 0;
  for (int time = 0; time < 7; ++time) {
    const std::size_t bytes = static_cast<std::size_t>(time) * 5000 + 1;
    pieces.push_back({.bytes = bytes, .first = time, .last = 100});
    sum += in_pages(bytes);
  }
  const std::size_t total = plan_memory(pieces);
  expect_sound(pieces, total);
  EXPECT_EQ(total, sum);
}

TEST(CpuMemoryPlan, RandomLivesNeverOverlapAndNeverTakeMoreThanTheSum) {
  for (std::uint32_t trial = 0; trial < 50; ++trial) {
    std::vector<PlannedPiece> pieces;
    std::size_t sum = 0;
    for (std::uint32_t piece = 0; piece < 40; ++piece) {
      const PhiloxBlock bits = philox(trial, {{piece, 0, 0, 0}});
      const int first = static_cast<int>(bits.word[0] % 60);
      const std::size_t bytes = bits.word[1] % 100000;
      pieces.push_back({.bytes = bytes, .first = first, .last = first + static_cast<int>(bits.word[2] % 20)});
      sum += in_pages(bytes);
    }
    const std::size_t total = plan_memory(pieces);
    expect_sound(pieces, total);
    EXPECT_LE(total, sum);
  }
}

}  // namespace
}  // namespace convoy::test
