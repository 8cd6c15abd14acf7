#include "data/resample.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.hpp"

namespace convoy {

namespace {

// Weights are multiples of 2^-15, and an intermediate value has 8 bits after the point: the largest sum,
// 255 · 2^8 · 2^15, fits into 32 bits.
constexpr int weight_bits = 15, fraction_bits = 8;
constexpr std::uint32_t one = 1U << weight_bits;

// The weighted source pixels of one result along an axis.
struct Taps {
  int first = 0;
  std::vector<std::uint16_t> weights;  // their sum is `one`
};

// The mean over [begin, end). Each weight is the difference of two rounded positions: errors do not
// accumulate, however many pixels are covered.
Taps covering(double begin, double end, int count) {
  const int first = std::clamp(static_cast<int>(std::floor(begin)), 0, count - 1);
  const int last = std::clamp(static_cast<int>(std::ceil(end)), first + 1, count);
  Taps taps{first, {}};
  long before = 0;
  for (int pixel = first; pixel < last; ++pixel) {
    const double covered = std::clamp((pixel + 1 - begin) / (end - begin), 0.0, 1.0);
    const long until = pixel + 1 == last ? long{one} : std::lround(covered * one);
    taps.weights.push_back(static_cast<std::uint16_t>(until - before));
    before = until;
  }
  return taps;
}

// Between the two pixels of [first, last] whose centres are nearest to `position`.
Taps between(double position, int first, int last) {
  const double centre = std::clamp(position - 0.5, static_cast<double>(first), static_cast<double>(last));
  const int left = static_cast<int>(std::floor(centre));
  const auto right_weight = static_cast<std::uint16_t>(std::lround((centre - left) * one));
  Taps taps{left, {static_cast<std::uint16_t>(one - right_weight)}};
  if (right_weight > 0) taps.weights.push_back(right_weight);
  return taps;
}

// For each of `results` equal parts of [begin, end) along an axis of `count` pixels.
std::vector<Taps> axis(double begin, double end, int count, int results) {
  const double step = (end - begin) / results;
  const int first = std::clamp(static_cast<int>(std::floor(begin)), 0, count - 1);
  const int last = std::clamp(static_cast<int>(std::ceil(end)) - 1, first, count - 1);
  std::vector<Taps> taps;
  taps.reserve(static_cast<std::size_t>(results));
  for (int i = 0; i < results; ++i) {
    taps.push_back(step >= 1 ? covering(begin + i * step, begin + (i + 1) * step, count)
                             : between(begin + (i + 0.5) * step, first, last));
  }
  return taps;
}

// The weighted sum of rows of `values` values each, from `pixels` on.
void sum_rows(const std::uint8_t* pixels, std::size_t row_bytes, std::size_t values, const Taps& taps,
              std::vector<std::uint32_t>& sums) {
  constexpr std::uint32_t half = 1U << (weight_bits - fraction_bits - 1);
  std::fill(sums.begin(), sums.end(), half);
  const std::uint8_t* row = pixels + static_cast<std::size_t>(taps.first) * row_bytes;
  for (const std::uint16_t weight : taps.weights) {
    for (std::size_t i = 0; i < values; ++i) sums[i] += static_cast<std::uint32_t>(row[i]) * weight;
    row += row_bytes;
  }
  for (std::uint32_t& sum : sums) sum >>= weight_bits - fraction_bits;
}

// One row of the result; `sums` begins at column `first_column`.
void sum_columns(const std::vector<std::uint32_t>& sums, int first_column, const std::vector<Taps>& columns,
                 std::uint8_t* target) {
  constexpr int bits = weight_bits + fraction_bits;
  for (const Taps& taps : columns) {
    const std::uint32_t* value = sums.data() + static_cast<std::size_t>(taps.first - first_column) * 3;
    std::uint32_t red = 1U << (bits - 1), green = red, blue = red;
    for (const std::uint16_t weight : taps.weights) {
      red += value[0] * weight;
      green += value[1] * weight;
      blue += value[2] * weight;
      value += 3;
    }
    *target++ = static_cast<std::uint8_t>(red >> bits);
    *target++ = static_cast<std::uint8_t>(green >> bits);
    *target++ = static_cast<std::uint8_t>(blue >> bits);
  }
}

}  // namespace

void resample(const PixelGrid& source, const Area& area, int width, int height, std::uint8_t* target,
              std::size_t stride) {
  ensure(area.left < area.right && area.top < area.bottom, "an area to resize is not empty");
  const std::vector<Taps> columns = axis(area.left, area.right, source.columns, width);
  const std::vector<Taps> rows = axis(area.top, area.bottom, source.rows, height);
  const int first = columns.front().first;
  const int last = columns.back().first + static_cast<int>(columns.back().weights.size());
  const std::size_t row_bytes = static_cast<std::size_t>(source.columns) * 3;
  const std::uint8_t* pixels = source.pixels.data() + static_cast<std::size_t>(first) * 3;
  std::vector<std::uint32_t> sums(static_cast<std::size_t>(last - first) * 3);
  for (const Taps& taps : rows) {
    sum_rows(pixels, row_bytes, sums.size(), taps, sums);
    sum_columns(sums, first, columns, target);
    target += stride;
  }
}

}  // namespace convoy
