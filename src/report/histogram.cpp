#include "report/histogram.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace convoy {
namespace {

constexpr double smallest = 1e-12, largest = 1e20, growth = 1.1;

// The positive limits, ascending, the last beyond every float.
std::vector<double> positive_limits() {
  std::vector<double> limits;
  for (double limit = smallest; limit < largest; limit *= growth) limits.push_back(limit);
  limits.push_back(std::numeric_limits<double>::max());
  return limits;
}

// The first limit that is greater than `magnitude`. The logarithm is off by one at most.
std::size_t first_greater(const std::vector<double>& limits, double magnitude) {
  static const double inverse_step = 1 / std::log(growth);
  if (magnitude < limits.front()) return 0;
  const auto guess = static_cast<std::size_t>(std::log(magnitude / smallest) * inverse_step);
  std::size_t index = std::min(guess, limits.size() - 1);
  while (index + 1 < limits.size() && limits[index] <= magnitude) ++index;
  while (index > 0 && limits[index - 1] > magnitude) --index;
  return index;
}

// The first limit that is not less than `magnitude`: below zero the other end of a bucket belongs to it.
std::size_t first_not_less(const std::vector<double>& limits, double magnitude) {
  const std::size_t index = first_greater(limits, magnitude);
  return index > 0 && limits[index - 1] == magnitude ? index - 1 : index;
}

void append(Histogram& histogram, double limit, double count) {
  if (count == 0 && histogram.counts.empty()) return;
  if (count == 0 && histogram.counts.back() == 0) {
    histogram.limits.back() = limit;
    return;
  }
  histogram.limits.push_back(limit);
  histogram.counts.push_back(count);
}

}  // namespace

Histogram histogram_of(std::span<const float> values) {
  const std::vector<double> limits = positive_limits();
  // negative[i]: magnitudes in (limits[i − 1], limits[i]]; positive[i]: in [limits[i − 1], limits[i]), zero
  // among the first.
  std::vector<double> negative(limits.size()), positive(limits.size());
  Histogram result;
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    const double number = value;
    if (result.count == 0) result.min = result.max = number;
    result.min = std::min(result.min, number);
    result.max = std::max(result.max, number);
    result.sum += number;
    result.sum_squares += number * number;
    ++result.count;
    if (number < 0)
      ++negative[first_not_less(limits, -number)];
    else
      ++positive[first_greater(limits, number)];
  }
  if (result.count == 0) return result;
  for (std::size_t i = limits.size(); i-- > 0;) append(result, i > 0 ? -limits[i - 1] : 0, negative[i]);
  for (std::size_t i = 0; i < limits.size(); ++i) append(result, limits[i], positive[i]);
  if (result.counts.back() == 0) {
    result.limits.pop_back();
    result.counts.pop_back();
  }
  return result;
}

}  // namespace convoy
