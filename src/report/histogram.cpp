#include "report/histogram.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace convoy {
namespace {

constexpr double smallest = 1e-12, largest = 1e20, growth = 1.1;

// The limits of magnitudes, ascending, the last beyond every float, and a table that finds them: for each
// value of a float's upper 16 bits, the first limit that is greater than the smallest magnitude with these
// bits. A limit grows by more than such a magnitude does, so that the next one is right for the others.
class Magnitudes {
 public:
  Magnitudes() {
    for (double limit = smallest; limit < largest; limit *= growth) limits_.push_back(limit);
    limits_.push_back(std::numeric_limits<double>::max());
    for (std::uint32_t bits = 0; bits < first_.size(); ++bits) {
      const double magnitude = std::bit_cast<float>(bits << 16);
      const auto found = std::ranges::upper_bound(limits_, magnitude);
      first_[bits] = static_cast<std::uint16_t>(std::min(found, limits_.end() - 1) - limits_.begin());
    }
  }

  const std::vector<double>& limits() const { return limits_; }

  // The first limit that is greater than the magnitude of `value`.
  std::size_t first_greater(float value) const {
    const float magnitude = std::fabs(value);
    std::size_t index = first_[std::bit_cast<std::uint32_t>(magnitude) >> 16];
    while (limits_[index] <= double{magnitude}) ++index;
    return index;
  }

  // The first limit that is not less: below zero the other end of a bucket belongs to it.
  std::size_t first_not_less(float value) const {
    const std::size_t index = first_greater(value);
    return index > 0 && limits_[index - 1] == double{std::fabs(value)} ? index - 1 : index;
  }

 private:
  std::vector<double> limits_;
  std::array<std::uint16_t, 0x8000> first_{};
};

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
  static const Magnitudes magnitudes;
  const std::vector<double>& limits = magnitudes.limits();
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
      ++negative[magnitudes.first_not_less(value)];
    else
      ++positive[magnitudes.first_greater(value)];
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
