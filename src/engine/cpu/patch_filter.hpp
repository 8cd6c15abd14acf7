// The filter of a first convolution over an input in patches (engine/input_patches.hpp): squares of
// patch × patch pixels are channels of one, ((y % patch) · patch + x % patch) · colours + colour. Filters of
// first convolutions are small (96 × 3 × 11 × 11), so plain loops move them. Used by weight_copies.cpp and
// convolution.cpp.
#pragma once

#include <cstdint>

namespace convoy::cpu {

struct PatchFilter {
  int filters = 0, channels = 0, kernel = 0, patch = 1;

  int side() const { return (kernel + patch - 1) / patch; }  // of the filter over patches
  int patched_channels() const { return channels * patch * patch; }
  std::int64_t patched_elements() const {
    return std::int64_t{filters} * patched_channels() * side() * side();
  }
  bool operator==(const PatchFilter&) const = default;
};

// From the layer's filter (row-major, filters × channels × kernel²) to that over patches (row-major,
// filters × patched_channels × side²), with zeros in what the kernel does not reach.
void to_patches(const PatchFilter& filter, const float* own, float* patched);

// The gradient of the layer's filter from that of the filter over patches.
void from_patches(const PatchFilter& filter, const float* patched, float* own);

}  // namespace convoy::cpu
