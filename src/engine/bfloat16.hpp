// bfloat16, the upper half of a float32, for element loops on host and device.
#pragma once

#include <bit>
#include <cstdint>

#include "base/host_device.hpp"

namespace convoy {

struct Bfloat16 {
  std::uint16_t bits = 0;
};

CONVOY_HOST_DEVICE inline float to_float(Bfloat16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}
CONVOY_HOST_DEVICE inline float to_float(float value) {
  return value;
}

// Rounds to nearest, ties to even; a NaN stays a NaN.
CONVOY_HOST_DEVICE inline Bfloat16 to_bfloat16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const bool is_nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
  const std::uint32_t rounded = bits + 0x7FFFu + ((bits >> 16) & 1u);
  return {static_cast<std::uint16_t>((is_nan ? bits | 0x00400000u : rounded) >> 16)};
}

// Conversion by destination, for loops written for both element types.
CONVOY_HOST_DEVICE inline void store_element(float& place, float value) {
  place = value;
}
CONVOY_HOST_DEVICE inline void store_element(Bfloat16& place, float value) {
  place = to_bfloat16(value);
}

}  // namespace convoy
