// Trial runs of a library's alternatives on the device: contents to run them on, and how long a run takes.
// Used by the builder and by LibraryConvolution while a program is compiled, never inside a capture.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>

#include "engine/cuda/map.hpp"

namespace convoy::cuda {

// Fills `data` with numbers of either sign between 0.5 and 1 in the given element. Zeros would mislead: a
// product of zeros draws less power and runs faster (up to 13 % in bf16 on an H200).
// Operands of one product must have values of their own (`seed`): where they are the same, some sums are of
// squares, which grow with the batch beyond what half precision holds.
void fill_with_trial_values(void* data, std::size_t bytes, Element element, cudaStream_t stream,
                            std::uint32_t seed = 1);

// Milliseconds that `run` takes on `stream`: the median of three runs after one to warm up. Where the first
// of them is several times slower than `best`, the shortest time so far, or long by itself, the better of
// two. None when `run` returns false, which says that it enqueued nothing.
std::optional<float> trial_milliseconds(cudaStream_t stream, const std::function<bool()>& run,
                                        float best = std::numeric_limits<float>::infinity());

}  // namespace convoy::cuda
