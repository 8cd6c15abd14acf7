// Writes one split of a store with all ranks: shards are assigned to ranks in turn, complete shards of an
// earlier, interrupted run are kept, store.json is replaced last. The output does not depend on the number of
// ranks, on threads or on interruptions. Used by pack and synthesize, which differ in the source of images.
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

// Collective; `plan` is the same on every rank (except `workers`). When it returns, the store is complete on
// disk: shards, mean.h5 (training split), skipped.jsonl, store.json. Another process that writes the same
// split is an ExitCode::usage. Throws the same Error on every rank: ExitCode::bad_data with up to ten bad
// images (without skip_bad), ExitCode::io.
SplitReport write_split(const SplitPlan& plan, const ImageProducer& produce, Communicator& communicator,
                        const Log& log);

}  // namespace convoy
