// How a global batch is shared out, in words, the refusal of one that cannot be, and what to do when it takes
// too much memory. Used by the trainer and cli/program.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace convoy {

// "256 = 8 ranks × 32", "64 = 3 ranks × 21–22", "256 = 2 ranks × 4 micro-batches × 32".
std::string batch_text(std::int64_t global_batch, int ranks, int accumulate);

// Throws ExitCode::usage when some rank would have no sample in a full step, saying what would be accepted.
void check_batch(std::int64_t global_batch, int ranks, int accumulate);

// For as_error.
inline constexpr std::string_view memory_advice =
    "use more ranks or nodes, a smaller --global-batch, or --accumulate";

}  // namespace convoy
