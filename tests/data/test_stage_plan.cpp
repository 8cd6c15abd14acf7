// Which shards a node copies, whether they fit on its disk, and the check of bytes as they pass: arithmetic.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "base/crc32c.hpp"
#include "data/stage/shard_copy.hpp"
#include "data/stage/stage_plan.hpp"

namespace convoy {
namespace {

SplitEntry split_of(const std::vector<std::int64_t>& sizes) {
  SplitEntry split;
  for (const std::int64_t images : sizes) {
    split.shards.push_back({.file = "shard", .images = images, .bytes = 1});
    split.images += images;
  }
  return split;
}

std::size_t shard_of(const SplitEntry& split, std::uint32_t id) {
  std::size_t shard = 0;
  for (std::int64_t before = 0; std::int64_t{id} >= before + split.shards[shard].images; ++shard)
    before += split.shards[shard].images;
  return shard;
}

// The shards of the samples that `ranks` get in some epochs.
std::set<std::size_t> really_read(const SplitEntry& split, const BatchPlan& plan, int nodes,
                                  const std::vector<int>& ranks) {
  std::set<std::size_t> shards;
  for (std::uint32_t epoch = 0; epoch < 3; ++epoch) {
    const auto order = sample_order_by_node(5, epoch, plan, nodes);
    for (std::int64_t step = 0; step < plan.steps_per_epoch(); ++step)
      for (const int rank : ranks) {
        const Range rows = plan.rows(step, rank, 0);
        for (std::int64_t row = rows.begin; row < rows.end; ++row)
          shards.insert(shard_of(split, order[static_cast<std::size_t>(step * plan.global_batch + row)]));
      }
  }
  return shards;
}

TEST(StagePlan, ANodeCopiesTheShardsThatItsRanksRead) {
  const SplitEntry split = split_of({7, 1, 12, 0, 30, 5, 5, 41});
  for (const std::int64_t batch : {4, 16, 48, 101})
    for (const int nodes : {1, 2, 3, 4})
      for (const int per_node : {1, 2}) {
        const BatchPlan plan{split.images, batch, nodes * per_node, 1};
        if (batch < plan.ranks) continue;
        std::size_t copied = 0;
        for (int node = 0; node < nodes; ++node) {
          std::vector<int> ranks(static_cast<std::size_t>(per_node));
          std::iota(ranks.begin(), ranks.end(), node * per_node);
          const auto planned = shards_by_node(split, plan, nodes, ranks);
          EXPECT_TRUE(std::ranges::is_sorted(planned));
          EXPECT_EQ(std::set(planned.begin(), planned.end()), really_read(split, plan, nodes, ranks))
              << batch << " " << nodes << " " << per_node << " " << node;
          copied += planned.size();
        }
        // Neighbours share the shard at their border; the empty one nobody reads.
        EXPECT_LE(copied, split.shards.size() - 1 + static_cast<std::size_t>(nodes - 1));
      }
}

// Ranks that are not numbered node by node, or not the same number on each, read other nodes' pieces too.
TEST(StagePlan, NothingThatIsReadIsMissingWithOtherNumberings) {
  const SplitEntry split = split_of({7, 1, 12, 0, 30, 5, 5, 41});
  const BatchPlan plan{split.images, 10, 5, 1};
  for (const std::vector<int>& ranks : {std::vector<int>{0, 2, 4}, {1, 3}, {0}, {4}, {0, 1, 2, 3}}) {
    const auto planned = shards_by_node(split, plan, 2, ranks);
    for (const std::size_t shard : really_read(split, plan, 2, ranks))
      EXPECT_TRUE(std::ranges::count(planned, shard)) << shard;
  }
}

TEST(StagePlan, SpaceIsCountedWithWhatIsThere) {
  constexpr std::uint64_t gigabyte = 1'000'000'000;
  EXPECT_EQ(space_refusal({.wanted = 252 * gigabyte, .present = 0, .free = 252 * gigabyte}, "/local"), "");
  EXPECT_EQ(
      space_refusal({.wanted = 252 * gigabyte, .present = 200 * gigabyte, .free = 52 * gigabyte}, "/local"),
      "");
  EXPECT_EQ(space_refusal({.wanted = 0, .present = 0, .free = 0}, "/local"), "");
  const std::string refusal =
      space_refusal({.wanted = 252 * gigabyte, .present = 12 * gigabyte, .free = 100 * gigabyte}, "/local/c");
  for (const char* part : {"252.0 GB", "12.0 GB are in /local/c", "240.0 GB are missing", "100.0 GB are free",
                           "Free 140.0 GB", "--shuffle node", "leave --stage out"})
    EXPECT_NE(refusal.find(part), std::string::npos) << part << " is not in: " << refusal;
}

TEST(StagePlan, BytesAreWrittenInTheUnitThatFits) {
  EXPECT_EQ(bytes_text(0), "0 bytes");
  EXPECT_EQ(bytes_text(9'999), "9999 bytes");
  EXPECT_EQ(bytes_text(12'345), "12.3 kB");
  EXPECT_EQ(bytes_text(3'140'000), "3.1 MB");
  EXPECT_EQ(bytes_text(252'000'000'000), "252.0 GB");
}

// However the file is cut into blocks, and wherever the damage is.
TEST(PixelCheck, FindsTheDamagedImage) {
  constexpr std::size_t offset = 13, image_bytes = 10, images = 6, size = offset + image_bytes * images + 7;
  std::vector<std::byte> file(size);
  for (std::size_t i = 0; i < size; ++i) file[i] = static_cast<std::byte>(i * 37);
  std::vector<std::uint32_t> expected;
  for (std::size_t image = 0; image < images; ++image)
    expected.push_back(crc32c(std::span(file).subspan(offset + image * image_bytes, image_bytes)));

  const auto first_damaged = [&](std::size_t block) {
    PixelCheck check(offset, image_bytes, expected);
    for (std::size_t at = 0; at < size; at += block)
      if (const auto damaged = check.take(at, std::span(file).subspan(at, std::min(block, size - at))))
        return static_cast<int>(*damaged);
    EXPECT_TRUE(check.complete());
    return -1;
  };
  for (const std::size_t block : {1, 3, 10, 13, 23, 64, 80}) {
    EXPECT_EQ(first_damaged(block), -1) << block;
    for (std::size_t damaged = 0; damaged < size; ++damaged) {
      file[damaged] ^= std::byte{1};
      const bool in_image = damaged >= offset && damaged < offset + image_bytes * images;
      EXPECT_EQ(first_damaged(block), in_image ? static_cast<int>((damaged - offset) / image_bytes) : -1);
      file[damaged] ^= std::byte{1};
    }
  }
}

}  // namespace
}  // namespace convoy
