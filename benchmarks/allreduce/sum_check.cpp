#include "sum_check.hpp"

#include <array>
#include <cmath>

namespace convoy::benchmark {
namespace {

constexpr std::size_t period = 1021;

double rounding_unit(WirePrecision wire) {
  switch (wire) {
    case WirePrecision::bf16:
      return std::ldexp(1.0, -8);
    case WirePrecision::fp16:
      return std::ldexp(1.0, -11);
    default:
      return 0;
  }
}

}  // namespace

float own_value(int rank, std::size_t place) {
  return static_cast<float>((place % period + 1) * (2 * static_cast<std::size_t>(rank) + 3) % 7 + 1);
}

void fill_with_own_values(int rank, std::span<float> buffer) {
  std::array<float, period> values{};
  for (std::size_t i = 0; i < period; ++i) values[i] = own_value(rank, i);
  for (std::size_t i = 0; i < buffer.size(); ++i) buffer[i] = values[i % period];
}

std::size_t count_wrong(std::span<const float> sums, int ranks, WirePrecision wire) {
  std::array<float, period> expected{};
  for (std::size_t i = 0; i < period; ++i)
    for (int rank = 0; rank < ranks; ++rank) expected[i] += own_value(rank, i);
  const double tolerance = rounding_unit(wire) * ranks;  // of the sum, all of whose terms are positive
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const double right = expected[i % period];
    if (!(std::abs(sums[i] - right) <= tolerance * right)) ++wrong;  // also what is not a number
  }
  return wrong;
}

}  // namespace convoy::benchmark
