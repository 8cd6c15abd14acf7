// Describes how a global batch is divided among ranks, and rejects one that cannot be. Used by the trainer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "data/batch_plan.hpp"

namespace convoy {

// "256 = 8 ranks × 32", "64 = 3 ranks × 21–22", "256 = 2 ranks × 4 micro-batches × 32".
std::string batch_text(std::int64_t global_batch, int ranks, int accumulate);

// Throws ExitCode::usage, with the limits, when a rank would have no sample in a full step.
void check_batch(std::int64_t global_batch, int ranks, int accumulate);

// Throws ExitCode::usage, with both numbers, when a rank would have no sample in any step of an epoch.
void check_rows(const BatchPlan& plan);

// A warning, with both numbers, if the global batch is larger than the split; otherwise empty.
std::string batch_warning(const BatchPlan& plan);

// For as_error.
inline constexpr std::string_view memory_advice =
    "use more ranks or nodes, a smaller --global-batch, or --accumulate";

}  // namespace convoy
