// Creates store.json from the existing shards: sizes, offsets, fingerprint, statistics, skipped images. The
// last operation of writing a split, on rank 0 only.
#pragma once

#include <optional>

#include "data/split_plan.hpp"
#include "data/statistics.hpp"
#include "data/store.hpp"

namespace convoy {

// Writes mean.h5 (if the plan's split is "train"), skipped.jsonl (removed if nothing was skipped) and finally
// store.json, each complete or not at all. `before` is the previous store: its other split and, for a
// validation split, its statistics are kept. `sums` are over the plan's whole split. Returns the new store.
// Throws ExitCode::io, bad_data.
Store write_catalogue(const SplitPlan& plan, const std::optional<Store>& before, const PixelSums& sums);

}  // namespace convoy
