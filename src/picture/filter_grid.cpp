#include "picture/filter_grid.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.hpp"
#include "picture/canvas.hpp"
#include "picture/shades.hpp"

namespace convoy {
namespace {

constexpr Colour between{.red = 255, .green = 255, .blue = 255};
constexpr int filter_gap = 2;

// What is shown of one filter: `planes` planes of height × width.
struct Shown {
  std::span<const float> weights;
  int planes, height, width;

  std::size_t plane_size() const {
    return static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  }
};

void draw_weight(const Shown& filter, std::size_t position, double magnitude, std::uint8_t* pixel) {
  for (std::size_t colour = 0; colour < 3; ++colour) {
    const float weight = filter.weights[(filter.planes == 3 ? colour * filter.plane_size() : 0) + position];
    if (!std::isfinite(weight)) {
      pixel[0] = not_finite_colour.red;
      pixel[1] = not_finite_colour.green;
      pixel[2] = not_finite_colour.blue;
      return;
    }
    pixel[colour] = signed_shade(weight, magnitude);
  }
}

Picture tile_of(const Shown& filter, double magnitude) {
  Picture tile(filter.width, filter.height);
  for (std::size_t position = 0; position < filter.plane_size(); ++position)
    draw_weight(filter, position, magnitude, tile.pixels.data() + 3 * position);
  return tile;
}

std::vector<Shown> shown_of(const FilterSet& set, int channel) {
  const bool colour = set.channels == 3 && channel < 0;
  const int planes = colour ? 3 : 1;
  const auto plane = static_cast<std::size_t>(set.height) * static_cast<std::size_t>(set.width);
  const std::size_t filter = static_cast<std::size_t>(set.channels) * plane;
  ensure(
      set.filters > 0 && filter > 0 && set.weights.size() == static_cast<std::size_t>(set.filters) * filter,
      "filters have filters × channels × height × width weights");
  ensure(channel >= -1 && channel < set.channels, "a channel that the filters have");
  std::vector<Shown> shown;
  for (int i = 0; i < set.filters; ++i) {
    const std::size_t first =
        static_cast<std::size_t>(i) * filter + static_cast<std::size_t>(std::max(channel, 0)) * plane;
    shown.push_back({.weights = set.weights.subspan(first, static_cast<std::size_t>(planes) * plane),
                     .planes = planes,
                     .height = set.height,
                     .width = set.width});
  }
  return shown;
}

}  // namespace

Picture filter_grid(const FilterSet& filters, FilterScale scale, int magnify, int channel) {
  const std::vector<Shown> shown = shown_of(filters, channel);
  double of_all = 0;
  for (const Shown& filter : shown) of_all = std::max(of_all, largest_magnitude(filter.weights));
  std::vector<Picture> tiles;
  tiles.reserve(shown.size());
  for (const Shown& filter : shown) {
    const double magnitude = scale == FilterScale::each ? largest_magnitude(filter.weights) : of_all;
    tiles.push_back(magnified(tile_of(filter, magnitude), magnify));
  }
  return tile_grid(tiles, grid_columns(filters.filters), filter_gap, between);
}

}  // namespace convoy
