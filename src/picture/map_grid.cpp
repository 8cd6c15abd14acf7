#include "picture/map_grid.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.hpp"
#include "picture/canvas.hpp"
#include "picture/palette.hpp"
#include "picture/shades.hpp"
#include "picture/text.hpp"

namespace convoy {
namespace {

constexpr int number_size = 11;
constexpr int border = 16;

std::span<const float> map_of(const MapSet& set, int map) {
  const auto size = static_cast<std::size_t>(set.height) * static_cast<std::size_t>(set.width);
  return set.values.subspan(static_cast<std::size_t>(map) * size, size);
}

void check_set(const MapSet& set) {
  const auto size = static_cast<std::size_t>(set.height) * static_cast<std::size_t>(set.width);
  ensure(set.maps > 0 && size > 0 && set.values.size() == static_cast<std::size_t>(set.maps) * size,
         "feature maps have maps × height × width values");
}

Picture tile_of(const MapSet& set, int map, double magnitude, bool has_negative) {
  Picture tile(set.width, set.height);
  std::uint8_t* pixel = tile.pixels.data();
  for (const float value : map_of(set, map)) {
    Colour colour = not_finite_colour;
    if (std::isfinite(value)) {
      const std::uint8_t shade =
          has_negative ? signed_shade(value, magnitude) : unsigned_shade(value, magnitude);
      colour = {.red = shade, .green = shade, .blue = shade};
    }
    *pixel++ = colour.red;
    *pixel++ = colour.green;
    *pixel++ = colour.blue;
  }
  return tile;
}

// The tile with its number below it.
Picture numbered_tile(const Picture& tile, int number, const Font& font) {
  Picture result(tile.width, tile.height + font.line_height(), between_tiles);
  paste(result, tile, 0, 0);
  const std::string text = fmt::format("{}", number);
  font.draw(result, (tile.width - font.width(text)) / 2, tile.height, text, paper);
  return result;
}

}  // namespace

std::vector<int> strongest_maps(const MapSet& set) {
  check_set(set);
  std::vector<double> means;
  for (int map = 0; map < set.maps; ++map) {
    const std::span<const float> values = map_of(set, map);
    const double mean =
        std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
    means.push_back(std::isfinite(mean) ? mean : -std::numeric_limits<double>::infinity());
  }
  std::vector<int> order(means.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int left, int right) {
    return means[static_cast<std::size_t>(left)] > means[static_cast<std::size_t>(right)];
  });
  return order;
}

Picture map_grid(const MapSet& set, std::span<const int> shown, const MapGridOptions& options) {
  check_set(set);
  const bool single_values = set.height * set.width == 1;
  const bool together = single_values || options.scale == FilterScale::together;
  const double of_all = largest_magnitude(set.values);
  const bool has_negative = std::any_of(set.values.begin(), set.values.end(),
                                        [](float value) { return std::isfinite(value) && value < 0; });
  const Font font(number_size);
  const bool numbered =
      options.numbered && font.width(fmt::format("{}", set.maps - 1)) <= set.width * options.magnify;
  std::vector<Picture> tiles;
  for (const int map : shown) {
    ensure(map >= 0 && map < set.maps, "a map that the layer has");
    const double magnitude = together ? of_all : largest_magnitude(map_of(set, map));
    const Picture tile = magnified(tile_of(set, map, magnitude, has_negative), options.magnify);
    tiles.push_back(numbered ? numbered_tile(tile, map, font) : tile);
  }
  return tile_grid(tiles, grid_columns(static_cast<int>(tiles.size())), single_values ? 1 : 2, between_tiles);
}

Picture feature_picture(const FeaturePicture& parts) {
  const Font title(17), note(13);
  const int top = border + title.line_height() + note.line_height() + border / 2;
  const int content = parts.image.width + border + parts.grid.width;
  const int text = std::min(std::max(title.width(parts.title), note.width(parts.note)), 900);
  Picture picture(std::max(content, text) + 2 * border,
                  top + std::max(parts.image.height, parts.grid.height) + border, paper);
  const int room = picture.width - 2 * border;
  title.draw(picture, border, border, title.cut(parts.title, room), ink);
  note.draw(picture, border, border + title.line_height(), note.cut(parts.note, room), faint_ink);
  paste(picture, parts.image, border, top);
  paste(picture, parts.grid, border + parts.image.width + border, top);
  return picture;
}

}  // namespace convoy
