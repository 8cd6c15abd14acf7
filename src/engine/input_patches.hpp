// A first convolution with a stride, as one over patches: squares of stride × stride pixels lie side by side
// as channels of one, the filter is widened by zeros to whole patches, and the stride becomes 1. The sums are
// the same but for added zeros. conv1 of the ImageNet networks (11 × 11, stride 4, 3 channels) becomes 3 × 3
// over 48 channels, which tensor cores serve several times faster, and oneDNN on AVX2 by generated code
// instead of a product behind an unfolding of the maps. Used by layer_plan.cpp, cpu/convolution.cpp and by
// the count of bytes in benchmarks/gpu.
#pragma once

#include "model/net_spec.hpp"

namespace convoy {

// Patches that the kernel spans in each direction.
constexpr int patched_kernel(int kernel, int patch) {
  return (kernel + patch - 1) / patch;
}

// The side of the patches that serve `convolution` best on the network's input; 1: single pixels. Patches pay
// where they take fewer multiplications, since tensor cores work on eight channels at a time.
inline int patch_side(const Convolution& convolution, const Shape& input) {
  const int side = convolution.stride;
  if (convolution.groups != 1 || input.channels != 3 || (side != 2 && side != 4)) return 1;
  const auto multiplications = [](int channels, int kernel) {
    return (channels + 7) / 8 * 8 * kernel * kernel;
  };
  const bool fewer = multiplications(input.channels * side * side, patched_kernel(convolution.kernel, side)) <
                     multiplications(input.channels, convolution.kernel);
  return fewer ? side : 1;
}

// The input in patches, its padding included: what the windows of an `output` cover.
inline Shape patched_input(const Convolution& convolution, const Shape& input, const Shape& output,
                           int patch) {
  const int more = patched_kernel(convolution.kernel, patch) - 1;
  return {input.channels * patch * patch, output.height + more, output.width + more};
}

}  // namespace convoy
