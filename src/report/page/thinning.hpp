// Which records of a long run a chart of limited width needs: the lowest and the highest value of each column
// of pixels, so that no spike is lost.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace convoy {

// Numbers of rows, ascending: for each of `columns` equal parts of the range of `x` (ascending), the rows
// with the least and the greatest value of each of `series` (as long as `x`; NaN counts as neither), the
// first row of a gap of NaNs, and the first and the last row of all. All rows if that is hardly fewer.
std::vector<std::size_t> rows_to_draw(std::span<const double> x,
                                      std::span<const std::span<const double>> series, std::size_t columns);

}  // namespace convoy
