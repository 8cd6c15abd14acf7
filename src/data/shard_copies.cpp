#include "data/shard_copies.hpp"

#include <utility>

namespace convoy {

ShardCopies::ShardCopies(std::filesystem::path folder, const SplitEntry& split, const Log& log)
    : folder_(std::move(folder)),
      split_(split),
      log_(log),
      states_(std::make_unique<std::atomic<State>[]>(split.shards.size())) {
  for (std::size_t shard = 0; shard < split.shards.size(); ++shard) states_[shard] = State::absent;
}

void ShardCopies::add(std::size_t shard) {
  State expected = State::absent;  // one that was rejected stays so
  states_[shard].compare_exchange_strong(expected, State::present, std::memory_order_acq_rel);
}

void ShardCopies::reject(std::size_t shard, const std::string& reason) {
  State expected = State::present;
  if (!states_[shard].compare_exchange_strong(expected, State::rejected)) return;
  ++rejected_;
  std::error_code ignored;  // another rank may have deleted it, or the disk has gone
  std::filesystem::remove(path(shard), ignored);
  log_.warn(
      "the staged copy of a shard cannot be used, so it is deleted and the store's shard is read instead: {}",
      reason);
}

}  // namespace convoy
