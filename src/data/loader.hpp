// Feeds a rank: worker threads read, check and queue this rank's part of each (micro-)batch ahead of time, so
// that a step never waits while the disk keeps up. `pread` reads into buffers, from which a GPU copies while
// later batches are requested; each image's checksum is verified.
#pragma once

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string>

#include "base/timeline.hpp"
#include "data/augmentation.hpp"
#include "data/batch.hpp"
#include "data/batch_plan.hpp"
#include "data/shard_copies.hpp"
#include "data/store.hpp"

namespace convoy {

struct LoaderOptions {
  std::string split = "train";
  std::int64_t global_batch = 0;
  int accumulate = 1;
  int rank = 0, ranks = 1;
  int nodes = 1;        // for shuffle_by_node; see sample_order_by_node
  bool shuffle = true;  // false: samples in stored order, for evaluation
  bool shuffle_by_node = false;
  std::uint64_t seed = 0;
  std::int64_t first_epoch = 0;   // where to start: complete epochs, then …
  std::int64_t first_sample = 0;  // … samples already consumed of the next (a multiple of the global batch)
  std::int64_t last_epoch = -1;   // stop after this many epochs; -1: never
  int workers = 2;
  int buffers = 3;  // batches in memory, the one in use included, …
  int held = 0;     // … and in addition this many that were in use before and remain valid
  // Memory of the batches; null: ordinary memory. A GPU's loader uses page-locked memory
  // (Replica::transfer_memory).
  std::pmr::memory_resource* memory = nullptr;
  Timeline* timeline = nullptr;  // where workers record what they do, in rows "loader 1", …; null: nowhere
  ShardCopies* copies =
      nullptr;  // on this node's own disk, to be read instead of the store's shards; null: none
  AugmentationSettings augmentation;
  int crop_side = 0;
};

class Loader {
 public:
  Loader(const Store& store, const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  const BatchPlan& plan() const;

  // The next micro-batch in order (step by step, and micro-batch by micro-batch within a step). Valid until
  // the next call, or until the `held` + 1st call after it; the buffer then returns to the workers. Throws a
  // worker's error: ExitCode::bad_data (checksum; file, image name and index), ExitCode::io. Throws
  // ExitCode::bug past the end.
  const BatchView& next();

  // Seconds that the last next() waited for workers.
  double waited_seconds() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace convoy
