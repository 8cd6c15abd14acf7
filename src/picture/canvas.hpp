// Composing pictures from parts: rectangles, pictures within pictures, magnification, tiles in a grid. Used
// by everything that draws. Positions may lie outside: what does not fit is cut off.
#pragma once

#include <span>

#include "picture/picture.hpp"

namespace convoy {

void fill_rectangle(Picture& picture, int x, int y, int width, int height, Colour colour);

// Puts `part` with its top left corner at (x, y).
void paste(Picture& picture, const Picture& part, int x, int y);

// Each pixel as a square of `factor` × `factor`.
Picture magnified(const Picture& picture, int factor);

// Columns for a grid of `count` tiles that is about square: without gaps in the last row if a number of
// columns up to twice the number of rows permits it.
int grid_columns(int count);

// Tiles of equal size, row by row, `gap` pixels of `background` between them and around them.
Picture tile_grid(std::span<const Picture> tiles, int columns, int gap, Colour background);

}  // namespace convoy
