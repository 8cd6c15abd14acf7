// Writes one split of a store with all ranks: shards are dealt to ranks in turn, whole shards of an earlier,
// interrupted run are kept, store.json is replaced last. The bytes written do not depend on the number of
// ranks, on threads or on interruptions. Used by pack and synthesize, which differ in where images come from.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "comm/communicator.hpp"
#include "data/shard_writer.hpp"
#include "data/split_plan.hpp"
#include "data/store.hpp"

namespace convoy {

struct SplitReport {
  std::int64_t images = 0, skipped = 0;
  int shards = 0, kept_shards = 0;
  double seconds = 0;
  std::string fingerprint;  // of the whole store
};

// The store in `folder`; nothing when it has no store.json yet. Throws ExitCode::bad_data when that is
// damaged.
std::optional<Store> existing_store(const std::filesystem::path& folder);

// Rank 0, before anything is written: throws ExitCode::usage when the store that is there has another image
// size, other classes, or already holds this split with other content.
void check_fits(const SplitPlan& plan, const std::optional<Store>& store);

// Collective; `plan` is the same on every rank (apart from `workers`). When it returns, the store is complete
// on disk: shards, mean.h5 (training split), skipped.jsonl, store.json. Throws the same Error on every rank:
// ExitCode::bad_data listing up to ten bad images (without skip_bad), ExitCode::io.
SplitReport write_split(const SplitPlan& plan, const ImageProducer& produce, Communicator& communicator,
                        const Log& log);

}  // namespace convoy
