// Which samples belong to which step, micro-batch and rank: a pure function, the same on every rank. Used by
// the loader and the trainer (steps of an epoch, true counts).
#pragma once

#include <cstdint>
#include <vector>

#include "base/partition.hpp"

namespace convoy {

struct BatchPlan {
  std::int64_t images = 0;        // of the split
  std::int64_t global_batch = 0;  // samples an update
  int ranks = 1;
  int accumulate = 1;  // micro-batches an update

  std::int64_t steps_per_epoch() const { return (images + global_batch - 1) / global_batch; }
  // Samples of step `index` of an epoch: the last may be smaller.
  std::int64_t samples_in_step(std::int64_t index) const;
  // Rank's contiguous part of positions [0, samples_in_step) for micro-batch `micro`; may be empty in the
  // last step.
  Range rows(std::int64_t step_in_epoch, int rank, int micro) const;
  // Most rows any rank has in any micro-batch: the batch that programs are compiled for.
  int rows_at_most() const;
};

// Sample ids of an epoch in training order: a permutation of [0, images), by Fisher and Yates with Philox.
std::vector<std::uint32_t> sample_order(std::uint64_t seed, std::uint32_t epoch, std::int64_t images);

// The order of `--shuffle node`: the split is cut into one contiguous piece a node, as long as the positions
// of the plan's steps that fall to that node (part `node` of `nodes` of each step), and shuffled within each
// piece, so that a node reads the same images every epoch and can keep them in its own cache. Also a
// permutation of [0, images), of (seed, epoch, images, global batch, number of nodes) alone. Ranks that are
// numbered node by node, equally many on each, find all their samples in their own node's piece; any other
// numbering is as correct, but nodes then read each other's pieces too.
std::vector<std::uint32_t> sample_order_by_node(std::uint64_t seed, std::uint32_t epoch,
                                                const BatchPlan& plan, int nodes);

}  // namespace convoy
