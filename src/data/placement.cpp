#include "data/placement.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace convoy {

namespace {

Box centred(int width, int height, int outer_width, int outer_height) {
  const int left = (outer_width - width) / 2, top = (outer_height - height) / 2;
  return {left, top, left + width, top + height};
}

int scaled(int length, int longer, int side) {
  return std::max(1, static_cast<int>(std::lround(static_cast<double>(length) * side / longer)));
}

Placement place_upright(int width, int height, Fit fit, int side) {
  Placement placement{{0, 0, width, height}, {0, 0, side, side}};
  if (fit == Fit::cut) {
    const int shorter = std::min(width, height);
    placement.source = centred(shorter, shorter, width, height);
  } else if (fit == Fit::pad) {
    const int longer = std::max(width, height);
    placement.target = centred(scaled(width, longer, side), scaled(height, longer, side), side, side);
  }
  return placement;
}

// Undoes the rotation of a box within the rotated image of width × height. Orientations 2, 3, 6 and 7 mirror
// the columns, 3, 4, 7 and 8 the rows, after 5 to 8 exchanged rows and columns (see decode.cpp's turn).
Box in_stored_pixels(Box box, int width, int height, int orientation) {
  if (orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7)
    box = {width - box.right, box.top, width - box.left, box.bottom};
  if (orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8)
    box = {box.left, height - box.bottom, box.right, height - box.top};
  return orientation >= 5 ? Box{box.top, box.left, box.bottom, box.right} : box;
}

}  // namespace

Placement place(int width, int height, int orientation, Fit fit, int side) {
  if (orientation >= 5) std::swap(width, height);
  const Placement upright = place_upright(width, height, fit, side);
  return {in_stored_pixels(upright.source, width, height, orientation),
          in_stored_pixels(upright.target, side, side, orientation)};
}

double least_shrinkage(const Placement& placement) {
  const auto ratio = [](int source, int target) { return static_cast<double>(source) / target; };
  return std::min(ratio(placement.source.width(), placement.target.width()),
                  ratio(placement.source.height(), placement.target.height()));
}

}  // namespace convoy
