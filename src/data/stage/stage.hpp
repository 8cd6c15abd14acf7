// Copies a store's shards to this node's own disk on a thread of its own, while training runs: a shard is
// read from the store until its copy is complete. The processes of a node share the work and the copies: each
// starts at another shard, and none copies one that another is copying. Used by train/run_stage.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "data/shard_copies.hpp"
#include "data/stage/shard_copy.hpp"
#include "data/stage/stage_folder.hpp"
#include "data/store.hpp"

namespace convoy {

struct StageOptions {
  std::filesystem::path folder;
  std::vector<std::size_t> train, val;  // shards that this node reads
  int process = 0, processes = 1;       // this one among those of the node that stage the same shards
};

// So far. Those of the first process are the node's, except for copied_bytes and rejected, which every
// process counts by itself.
struct StageFigures {
  std::int64_t shards = 0, staged_shards = 0, left_shards = 0;  // left: they stay in the store
  std::uint64_t bytes = 0, staged_bytes = 0;
  std::uint64_t copied_bytes = 0;  // by this process
  int rejected = 0;                // copies that were damaged
  double seconds = 0;              // since start(), or until it was done
  bool done = false;
};

class Stage {
 public:
  // Prepares the folder; process 0 also checks that everything fits. `store` and `log` must outlive the
  // object. Throws like StageFolder.
  Stage(const Store& store, StageOptions options, const Log& log);
  ~Stage();  // stops; a copy that is not complete is deleted
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  // After all processes of the node have prepared.
  void start();

  // For ShardReader. `split`: "train" or "val"; null if the store has no such split.
  ShardCopies* copies(std::string_view split);

  const StageFolder& folder() const { return folder_; }
  StageFigures figures() const;
  bool leads() const { return options_.process == 0; }

 private:
  // A split's copies, and a reader of its shards in the store.
  struct Split {
    Split(const Store& store, const std::string& name, const std::filesystem::path& folder, const Log& log);
    ShardCopies copies;
    std::optional<ShardReader> source;  // until everything is staged
  };
  struct Item {
    Split* split;
    std::size_t shard;
    const ShardEntry& entry() const { return split->copies.split().shards[shard]; }
  };
  enum class Settled { staged, left, busy, stopped };

  std::vector<Item> items();
  void work(const std::stop_token& stop);
  Settled settle(const Item& item, const std::stop_token& stop);
  Settled copy(const Item& item, PartialCopy& partial, const std::stop_token& stop);
  bool holds(const Item& item) const;
  void complain(const std::string& text) const;
  void count(const Item& item, bool staged);

  const Store& store_;
  StageOptions options_;
  const Log& log_;
  StageFolder folder_;
  std::unique_ptr<Split> train_, val_;
  std::vector<Item> items_;  // in this process's order
  bool gave_up_ = false;     // of the thread: the disk takes no more
  Stopwatch watch_;
  std::atomic<std::uint64_t> copied_{0}, staged_bytes_{0};
  std::atomic<std::int64_t> staged_{0}, left_{0};
  std::atomic<double> seconds_{0};  // when it was done
  std::atomic<bool> done_{false};
  std::jthread thread_;  // last: it uses the others
};

}  // namespace convoy
