// What a node copies to its own disk, and whether it fits there: arithmetic without files. Used by Stage and
// by the trainer, which knows the ranks of a node.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "data/batch_plan.hpp"
#include "data/store.hpp"

namespace convoy {

// Numbers of all shards of a split, in order.
std::vector<std::size_t> all_shards(const SplitEntry& split);

// Numbers of the shards, in order, that `ranks` read in training by `--shuffle node` on `nodes` nodes: those
// that hold an image of a node's piece at whose steps one of the ranks takes part.
std::vector<std::size_t> shards_by_node(const SplitEntry& split, const BatchPlan& plan, int nodes,
                                        std::span<const int> ranks);

// Bytes of the shards that a node reads.
struct StageSpace {
  std::uint64_t wanted = 0;   // of all of them
  std::uint64_t present = 0;  // of those that are on the node's disk already, unfinished copies included
  std::uint64_t free = 0;     // on that disk
};

// Why the shards do not fit, with the remedy; empty if they do. `copies`: the folder that holds them.
std::string space_refusal(const StageSpace& space, const std::filesystem::path& copies);

// "252.0 GB", "3.1 MB", "512 bytes".
std::string bytes_text(std::uint64_t bytes);

}  // namespace convoy
