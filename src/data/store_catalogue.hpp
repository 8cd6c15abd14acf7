// store.json from the shards that are there: sizes, offsets, fingerprint, statistics, skipped images. The
// last act of writing a split, on rank 0 alone.
#pragma once

#include <optional>

#include "data/split_plan.hpp"
#include "data/statistics.hpp"
#include "data/store.hpp"

namespace convoy {

// Writes mean.h5 (when the plan's split is "train"), skipped.jsonl (removed when nothing was skipped) and,
// last, store.json, each whole or not at all. `before` is the store as it was: its other split and, for a
// validation split, its statistics stay. `sums` are over the plan's whole split. Returns the new store.
// Throws ExitCode::io, bad_data.
Store write_catalogue(const SplitPlan& plan, const std::optional<Store>& before, const PixelSums& sums);

}  // namespace convoy
