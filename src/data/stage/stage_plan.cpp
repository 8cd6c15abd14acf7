#include "data/stage/stage_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace convoy {

namespace {

bool overlap(const Range& left, const Range& right) {
  return std::max(left.begin, right.begin) < std::min(left.end, right.end);
}

// Whether a rank takes samples at a node's positions of a step of `samples`.
bool meets(std::int64_t samples, int ranks, int rank, int nodes, int node) {
  return overlap(part_of(samples, ranks, rank), part_of(samples, nodes, node));
}

bool reads_piece(const BatchPlan& plan, int nodes, int node, int rank) {
  const std::int64_t steps = plan.steps_per_epoch();
  if (steps == 0) return false;
  // All steps but the last have the same number of samples.
  return meets(plan.samples_in_step(0), plan.ranks, rank, nodes, node) ||
         meets(plan.samples_in_step(steps - 1), plan.ranks, rank, nodes, node);
}

}  // namespace

std::vector<std::size_t> all_shards(const SplitEntry& split) {
  std::vector<std::size_t> shards(split.shards.size());
  std::iota(shards.begin(), shards.end(), std::size_t{0});
  return shards;
}

std::vector<std::size_t> shards_by_node(const SplitEntry& split, const BatchPlan& plan, int nodes,
                                        std::span<const int> ranks) {
  const std::vector<Range> pieces = node_pieces(plan, nodes);
  std::vector<Range> read;
  for (int node = 0; node < nodes; ++node)
    if (std::ranges::any_of(ranks, [&](int rank) { return reads_piece(plan, nodes, node, rank); }))
      read.push_back(pieces[static_cast<std::size_t>(node)]);
  std::vector<std::size_t> shards;
  std::int64_t first = 0;
  for (std::size_t shard = 0; shard < split.shards.size(); ++shard) {
    const Range images{first, first + split.shards[shard].images};
    if (std::ranges::any_of(read, [&](const Range& piece) { return overlap(piece, images); }))
      shards.push_back(shard);
    first = images.end;
  }
  return shards;
}

std::string space_refusal(const StageSpace& space, const std::filesystem::path& copies) {
  const std::uint64_t missing = space.wanted - std::min(space.wanted, space.present);
  if (missing <= space.free) return {};
  return fmt::format(
      "the shards that this node reads take {}, of which {} are in {}: {} are missing, but only {} are free. "
      "Free "
      "{} on that disk (copies of other stores are folders beside this one: delete those that no job uses), "
      "train on more nodes with --shuffle node, or leave --stage out",
      bytes_text(space.wanted), bytes_text(space.present), copies.string(), bytes_text(missing),
      bytes_text(space.free), bytes_text(missing - space.free));
}

std::string bytes_text(std::uint64_t bytes) {
  const auto number = static_cast<double>(bytes);
  if (number >= 1e9) return fmt::format("{:.1f} GB", number / 1e9);
  if (number >= 1e6) return fmt::format("{:.1f} MB", number / 1e6);
  if (number >= 1e4) return fmt::format("{:.1f} kB", number / 1e3);
  return fmt::format("{} bytes", bytes);
}

}  // namespace convoy
