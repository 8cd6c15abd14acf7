// The filters of a convolution as one picture. Used by `visualize filters`, the report and TensorBoard's
// files.
#pragma once

#include <span>

#include "base/words.hpp"
#include "picture/picture.hpp"

namespace convoy {

// Each filter stretched over its own range, which shows its form; or all over one range, which shows their
// strength too.
enum class FilterScale { each, together };

inline Words<FilterScale> filter_scale_words() {
  return {{"each", FilterScale::each}, {"together", FilterScale::together}};
}

// Weights of a convolution, [filters, channels, height, width] (OIHW).
struct FilterSet {
  std::span<const float> weights;
  int filters = 0, channels = 0, height = 0, width = 0;
};

// A grid of all filters, about square, each weight magnified to a square of `magnify` × `magnify` pixels.
// Filters of 3 channels and `channel` −1: in colour, the channels as red, green and blue. Otherwise channel
// `channel` (−1: the first) in grey.
//
// A weight w becomes the byte round(127.5 + 127.5 · w / m), where m is the largest magnitude in what is shown
// of the filter (`each`) or of all filters (`together`): zero is always mid-grey (128), negative weights are
// darker, positive ones brighter. Filters of zeros are grey. A pixel with a weight that is not finite is
// magenta and does not count in m. Throws ExitCode::bug for a set, a channel or a factor that cannot be.
Picture filter_grid(const FilterSet& filters, FilterScale scale, int magnify, int channel = -1);

}  // namespace convoy
