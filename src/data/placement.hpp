// The geometry of each Fit: which part of an image is resized to which part of the square. Used by
// jpeg_decode.cpp to choose a reduction and by decode.cpp to make the square.
#pragma once

#include <array>
#include <cstdint>

#include "data/fit.hpp"

namespace convoy {

// `pad` fills the borders with it: ImageNet's mean colour (RGB), which is nearly zero after the mean is
// subtracted. It is constant because the mean of a store is known only when all its images are packed.
inline constexpr std::array<std::uint8_t, 3> border_colour{124, 116, 104};

// Whole pixels; right and bottom are the first ones outside.
struct Box {
  int left = 0, top = 0, right = 0, bottom = 0;
  int width() const { return right - left; }
  int height() const { return bottom - top; }
  friend bool operator==(const Box&, const Box&) = default;
};

// The part `source` of the image is resized to the part `target` of the square.
struct Placement {
  Box source, target;
};

// For an image of width × height stored pixels, to be rotated by `orientation` (EXIF's 1…8) afterwards. The
// boxes are those of the rotated image, expressed in stored pixels, so that rotating last is the same as
// rotating first.
Placement place(int width, int height, int orientation, Fit fit, int side);

// How many pixels of the source become one of the target along the axis that shrinks least.
double least_shrinkage(const Placement& placement);

}  // namespace convoy
