// The assignment of samples to steps, micro-batches and ranks: a pure function, the same on every rank. Used
// by the loader, the trainer (steps of an epoch, true counts) and stage/ (what a node reads).
#pragma once

#include <cstdint>
#include <vector>

#include "base/partition.hpp"

namespace convoy {

struct BatchPlan {
  std::int64_t images = 0;        // of the split
  std::int64_t global_batch = 0;  // samples per update
  int ranks = 1;
  int accumulate = 1;  // micro-batches per update

  std::int64_t steps_per_epoch() const { return (images + global_batch - 1) / global_batch; }
  // Samples of step `index` of an epoch: the last step may have fewer.
  std::int64_t samples_in_step(std::int64_t index) const;
  // Rank's contiguous part of positions [0, samples_in_step) for micro-batch `micro`; may be empty in the
  // last step.
  Range rows(std::int64_t step_in_epoch, int rank, int micro) const;
  // The maximum number of rows of any rank in any micro-batch: the batch that programs are compiled for.
  int rows_at_most() const;
};

// Sample ids of an epoch in training order: a permutation of [0, images), by a Fisher-Yates shuffle with
// Philox.
std::vector<std::uint32_t> sample_order(std::uint64_t seed, std::uint32_t epoch, std::int64_t images);

// The part of the split that each node reads with `--shuffle node`: contiguous, in order of the nodes,
// together the whole split, as long as the positions of the plan's steps that belong to the node (part `node`
// of `nodes` of each step).
std::vector<Range> node_pieces(const BatchPlan& plan, int nodes);

// The order of `--shuffle node`: the split is divided into node_pieces and shuffled within each piece, so
// that a node reads the same images every epoch and can keep them in its own cache. Also a permutation of [0,
// images), a function of only (seed, epoch, images, global batch, number of nodes). If ranks are numbered
// node by node, with the same number on each, they find all their samples in their own node's piece; any
// other numbering is also correct, but nodes then read each other's pieces too.
std::vector<std::uint32_t> sample_order_by_node(std::uint64_t seed, std::uint32_t epoch,
                                                const BatchPlan& plan, int nodes);

}  // namespace convoy
