// Resizes a part of an RGB image whose borders need not lie between pixels: a JPEG that was reduced during
// decoding has pixels of up to 8 × 8 original ones, and the part to keep is given in original pixels. Called
// by decode.cpp and for the thumbnails of a report.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace convoy {

// Rows of `columns` × 3 values, top to bottom.
struct PixelGrid {
  std::span<const std::uint8_t> pixels;
  int columns = 0, rows = 0;
};

// In units of the grid's pixels: pixel i covers [i, i + 1).
struct Area {
  double left = 0, top = 0, right = 0, bottom = 0;
};

// Resizes the area to width × height pixels at `target`, whose rows are `stride` bytes apart. Along an axis
// that shrinks, each result is the mean of exactly the pixels and parts of pixels that it covers; along one
// that grows, values are interpolated linearly, within the area. Computed in integers, so the same on every
// machine; an area of whole pixels that keeps its size is copied exactly. Thread-safe.
void resample(const PixelGrid& source, const Area& area, int width, int height, std::uint8_t* target,
              std::size_t stride);

}  // namespace convoy
