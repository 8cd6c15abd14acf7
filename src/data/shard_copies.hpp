// Which shards of a split have a copy on this node's own disk, and where. stage/ adds copies while training
// runs; ShardReader reads them instead of the store's shards and throws away those that are damaged. Any
// number of threads may use it at the same time.
#pragma once

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

#include "base/log.hpp"
#include "data/store.hpp"

namespace convoy {

class ShardCopies {
 public:
  // Copies lie in `folder` under the names of the split's shards; none yet. `split` and `log` outlive it.
  ShardCopies(std::filesystem::path folder, const SplitEntry& split, const Log& log);

  const SplitEntry& split() const { return split_; }
  std::filesystem::path path(std::size_t shard) const { return folder_ / split_.shards[shard].file; }

  // Whether the copy is complete and to be read. Asked before every read: costs nothing.
  bool has(std::size_t shard) const {
    return states_[shard].load(std::memory_order_acquire) == State::present;
  }

  void add(std::size_t shard);

  // The copy proved unusable: deletes it, warns, and has() is false from now on, for the rest of this
  // process. Only the first call has an effect.
  void reject(std::size_t shard, const std::string& reason);
  int rejected() const { return rejected_.load(); }

 private:
  enum class State { absent, present, rejected };

  std::filesystem::path folder_;
  const SplitEntry& split_;
  const Log& log_;
  std::unique_ptr<std::atomic<State>[]> states_;
  std::atomic<int> rejected_{0};
};

}  // namespace convoy
