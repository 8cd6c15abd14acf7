// An image beside its most probable classes as bars. Used by `predict --picture`.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "picture/picture.hpp"

namespace convoy {

struct ClassBar {
  std::string name;
  double probability = 0;  // 0…1
};

// The longer side that images should have; larger ones make a larger picture.
inline constexpr int prediction_image_side = 420;

// `image` with `caption` below it, and beside it the bars from top to bottom: above each bar the name, cut
// with "…" where it is too long, and the percentage. Small images are magnified by a whole factor.
Picture prediction_picture(const Picture& image, const std::string& caption, std::span<const ClassBar> bars);

}  // namespace convoy
