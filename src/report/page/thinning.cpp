#include "report/page/thinning.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

namespace convoy {
namespace {

// The rows to keep of [first, end).
void keep_extremes(std::span<const double> values, std::size_t first, std::size_t end,
                   std::vector<std::size_t>& kept) {
  std::optional<std::size_t> least, most, gap;
  for (std::size_t row = first; row < end; ++row) {
    const double value = values[row];
    if (std::isnan(value)) {
      if (!gap) gap = row;
      continue;
    }
    if (!least || value < values[*least]) least = row;
    if (!most || value > values[*most]) most = row;
  }
  for (const std::optional<std::size_t>& row : {least, most, gap})
    if (row) kept.push_back(*row);
}

}  // namespace

std::vector<std::size_t> rows_to_draw(std::span<const double> x,
                                      std::span<const std::span<const double>> series, std::size_t columns) {
  std::vector<std::size_t> kept;
  if (x.size() <= 2 * columns * series.size()) {
    kept.resize(x.size());
    std::iota(kept.begin(), kept.end(), std::size_t{0});
    return kept;
  }
  const double width = (x.back() - x.front()) / static_cast<double>(columns);
  kept = {0, x.size() - 1};
  for (std::size_t column = 0, first = 0; column < columns && first < x.size(); ++column) {
    const double border = x.front() + width * static_cast<double>(column + 1);
    const std::size_t end = column + 1 == columns
                                ? x.size()
                                : static_cast<std::size_t>(std::ranges::upper_bound(x, border) - x.begin());
    for (const std::span<const double> values : series) keep_extremes(values, first, end, kept);
    first = std::max(first, end);
  }
  std::ranges::sort(kept);
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  return kept;
}

}  // namespace convoy
