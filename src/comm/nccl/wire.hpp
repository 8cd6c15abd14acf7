// Gradients on the wire in 16 bits: rounding to nearest even before a sum, float32 again after it. Used by
// nccl_collective.cpp.
#pragma once

#include <cuda_runtime_api.h>

#include <span>

namespace convoy::cuda {

enum class WireType { bf16, fp16 };

// Enqueues out[i] = scale · values[i] in `type`, which `out` (device memory, 16-byte aligned) holds densely.
// Values that the type cannot hold become infinite. Moves 6 bytes an element. Throws ExitCode::device.
void to_wire(WireType type, std::span<const float> values, float scale, void* out, cudaStream_t stream);

// Enqueues the way back, values[i] = in[i] ÷ scale: exact, as `scale` is a power of two.
void from_wire(WireType type, const void* in, float scale, std::span<float> values, cudaStream_t stream);

}  // namespace convoy::cuda
