// Mean, standard deviation, colour axes and mean image of a training split. Pixels are integers, so
// everything is derived from exact integer sums: the result is the same for any number of ranks and shards,
// and after any interruption. Used by pack and synthesize while they write a split.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "comm/communicator.hpp"
#include "data/store.hpp"

namespace convoy {

struct PixelSums {
  explicit PixelSums(int image_side);

  int side;
  std::int64_t images = 0;
  std::array<std::int64_t, 3> values{};    // Σ r, Σ g, Σ b
  std::array<std::int64_t, 6> products{};  // Σ rr, rg, rb, gg, gb, bb
  std::vector<std::int64_t> positions;     // side × side × 3: Σ over images at each position

  // Adds whole images (n × side × side × 3), on `workers` threads.
  void add(std::span<const std::uint8_t> pixels, int workers);
  void merge(const PixelSums& other);
  void sum_over_ranks(Communicator& communicator);  // collective
};

// Population values over all pixels; the axes are the eigenvectors of the covariance of (r, g, b), largest
// eigenvalue first, each with a positive largest component. Requires at least one image.
Statistics statistics_of(const PixelSums& sums);

// 3 × side × side, channel first.
std::vector<float> mean_image_of(const PixelSums& sums);

}  // namespace convoy
