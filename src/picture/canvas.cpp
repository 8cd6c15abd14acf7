#include "picture/canvas.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace convoy {

void fill_rectangle(Picture& picture, int x, int y, int width, int height, Colour colour) {
  const int right = std::min(x + width, picture.width), bottom = std::min(y + height, picture.height);
  for (int row = std::max(y, 0); row < bottom; ++row) {
    for (int column = std::max(x, 0); column < right; ++column) {
      std::uint8_t* pixel = picture.at(column, row);
      pixel[0] = colour.red;
      pixel[1] = colour.green;
      pixel[2] = colour.blue;
    }
  }
}

void paste(Picture& picture, const Picture& part, int x, int y) {
  const int left = std::max(x, 0), right = std::min(x + part.width, picture.width);
  if (left >= right) return;
  for (int row = std::max(y, 0); row < std::min(y + part.height, picture.height); ++row)
    std::copy_n(part.at(left - x, row - y), 3 * (right - left), picture.at(left, row));
}

Picture magnified(const Picture& picture, int factor) {
  ensure(factor >= 1, "a picture is magnified by 1 or more");
  Picture large(picture.width * factor, picture.height * factor);
  for (int y = 0; y < large.height; ++y) {
    for (int x = 0; x < large.width; ++x) std::copy_n(picture.at(x / factor, y / factor), 3, large.at(x, y));
  }
  return large;
}

int grid_columns(int count) {
  int least = 1;
  while (least * least < count) ++least;
  for (int columns = least; columns <= count && columns * columns <= 2 * count; ++columns) {
    if (count % columns == 0) return columns;
  }
  return least;
}

Picture tile_grid(std::span<const Picture> tiles, int columns, int gap, Colour background) {
  ensure(!tiles.empty() && columns >= 1 && gap >= 0, "a grid has tiles and columns");
  const int width = tiles[0].width, height = tiles[0].height, count = static_cast<int>(tiles.size());
  const int rows = (count + columns - 1) / columns;
  Picture grid(columns * (width + gap) + gap, rows * (height + gap) + gap, background);
  for (int i = 0; i < count; ++i) {
    const Picture& tile = tiles[static_cast<std::size_t>(i)];
    ensure(tile.width == width && tile.height == height, "the tiles of a grid are of one size");
    paste(grid, tile, gap + i % columns * (width + gap), gap + i / columns * (height + gap));
  }
  return grid;
}

}  // namespace convoy
