// ReLU → LRN → max-pool in one pass each way, channels_last: these passes' bytes, not arithmetic, bound
// AlexNet's step. Used by the program behind a convolution whose ReLU is fused: with LRN where the layers
// stand so (alexnet, alexnet-ungrouped-lrn, caffe-alexnet), without it elsewhere; where LRN stands behind the
// pool (caffenet) it is a pass of its own, on a map of a quarter of the size.
#pragma once

#include <cstddef>

#include "engine/cuda/kernels.hpp"

namespace convoy::cuda {

struct FusedPoolShape {
  MapShape input;  // the convolution's output, bias and ReLU already applied (its epilogue does both): no
                   // negative values
  int window = 3, stride = 2;
  int after = 0;  // padding behind the last row and column; there is none before the first
  int output_height = 0, output_width = 0;  // ⌊(side + after − 3) / 2⌋ + 1
  NormalisationConstants normalisation;     // size 0: none
};

// Whether the fused kernels serve this shape: channels_last, channels a multiple of 8 and at most 896
// (float32) or 1,792, windows of 3 with stride 2, padding after the map only, and so little that each window
// begins in the map, LRN over 3, 5, 7 or 9 channels or none. Other functions throw ExitCode::bug for what is
// not served.
bool serves_fused_pool(const FusedPoolShape& shape);

// output = maxpool(LRN(input)). Reads the input once (windows overlap in shared memory), writes the pooled
// map. Normalised values are rounded to the element before they are compared, as if they were stored: so the
// result (and which place is a window's maximum) is that of the separate passes. A NaN in a window is its
// maximum. `codes` (fused_pool_code_bytes, half a byte for each pooled element; null where no backward pass
// follows) says where the maxima are: among equal ones the first in row order.
std::size_t fused_pool_code_bytes(const FusedPoolShape& shape);
void fused_pool_forward(cudaStream_t stream, const void* input, void* output, void* codes,
                        const FusedPoolShape& shape);

// From the gradient of the pooled map to that of the convolution's output before its ReLU (0 where the input
// is not positive), and the convolution's bias gradient in the same pass: bias[c] = or += (`add`) the sum of
// the input gradient before it is rounded; `bias` may be null. Reads forward's codes, the output gradient
// and, with normalisation only, the input (`input` may be null without), writes the input gradient; gradients
// in between stay float32. No atomics: the same bits in every run. `scratch`: fused_pool_scratch_bytes,
// unused without bias.
std::size_t fused_pool_scratch_bytes(const FusedPoolShape& shape);
void fused_pool_backward(cudaStream_t stream, const void* input, const void* codes,
                         const void* output_gradient, void* input_gradient, const FusedPoolShape& shape,
                         float* bias, bool add, void* scratch);

}  // namespace convoy::cuda
