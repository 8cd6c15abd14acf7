// The distribution of a tensor's values in buckets, as TensorBoard draws it. Used by TensorBoard's files.
#pragma once

#include <span>
#include <vector>

namespace convoy {

// Of the finite values; those that are not finite count nowhere.
struct Histogram {
  double min = 0, max = 0, sum = 0, sum_squares = 0, count = 0;
  // Bucket i holds values from limits[i − 1] (the first: from any) up to, but not including, limits[i].
  std::vector<double> limits, counts;
};

// Limits grow by a tenth from ±1e-12 to ±1e20, so that weights and the smallest gradients are resolved alike.
// Empty buckets at the ends are left out, and of others that follow each other one remains; without a finite
// value there are none.
Histogram histogram_of(std::span<const float> values);

}  // namespace convoy
