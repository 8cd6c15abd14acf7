#include "picture/shades.hpp"

#include <algorithm>
#include <cmath>

namespace convoy {

double largest_magnitude(std::span<const float> values) {
  float largest = 0;
  for (const float value : values) {
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  }
  return largest;
}

std::uint8_t signed_shade(double value, double magnitude) {
  return static_cast<std::uint8_t>(std::lround(127.5 + (magnitude > 0 ? 127.5 * (value / magnitude) : 0)));
}

std::uint8_t unsigned_shade(double value, double magnitude) {
  return static_cast<std::uint8_t>(std::lround(magnitude > 0 ? 255 * (value / magnitude) : 0));
}

}  // namespace convoy
