// How numbers become grey: the rules that grids of filters and of feature maps share.
#pragma once

#include <cstdint>
#include <span>

#include "picture/picture.hpp"

namespace convoy {

inline constexpr Colour not_finite_colour{.red = 255, .green = 0, .blue = 255};

// Of the finite values; 0 where there are none.
double largest_magnitude(std::span<const float> values);

// −magnitude is black, 0 mid-grey (128), magnitude white.
std::uint8_t signed_shade(double value, double magnitude);

// 0 is black, magnitude white; for values that are never negative.
std::uint8_t unsigned_shade(double value, double magnitude);

}  // namespace convoy
