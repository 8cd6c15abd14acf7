// Whether a sum over ranks is right: every rank's buffer is filled with small whole numbers whose sum is
// known and, in float32, exact. Used by benchmark_allreduce.
#pragma once

#include <cstddef>
#include <span>

#include "comm/collective.hpp"

namespace convoy::benchmark {

// A rank's element: a whole number from 1 to 7 that depends on rank and place: a rank that is left out is
// missed everywhere. It repeats after a prime number of elements, so that data that ends up in another slice
// or bucket is noticed.
float own_value(int rank, std::size_t place);

void fill_with_own_values(int rank, std::span<float> buffer);

// Elements that are not the sum over `ranks` ranks of their own values. The sum is exact in float32; with a
// narrower wire the error of an element may be `ranks` units of rounding (see WirePrecision), which is none
// while the sums are whole numbers that the format holds.
std::size_t count_wrong(std::span<const float> sums, int ranks, WirePrecision wire);

}  // namespace convoy::benchmark
