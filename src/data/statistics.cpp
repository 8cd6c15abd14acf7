#include "data/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <mutex>
#include <opencv2/core.hpp>

#include "base/error.hpp"
#include "base/host_device.hpp"
#include "data/parallel_for.hpp"

namespace convoy {

namespace {

// Sums of one row of one image; a row of 65535 pixels still fits 32 bits.
struct RowSums {
  std::uint32_t values[3] = {};
  std::uint64_t products[6] = {};
};

CONVOY_VECTORISED void add_positions(const std::uint8_t* row, std::size_t count, std::int64_t* positions) {
  for (std::size_t i = 0; i < count; ++i) positions[i] += row[i];
}

CONVOY_VECTORISED void add_colours(const std::uint8_t* row, std::size_t pixels, RowSums& sums) {
  std::uint32_t r1 = 0, g1 = 0, b1 = 0;
  std::uint64_t rr = 0, rg = 0, rb = 0, gg = 0, gb = 0, bb = 0;
  for (std::size_t i = 0; i < pixels; ++i) {
    const std::uint32_t r = row[3 * i], g = row[3 * i + 1], b = row[3 * i + 2];
    r1 += r, g1 += g, b1 += b;
    rr += r * r, rg += r * g, rb += r * b, gg += g * g, gb += g * b, bb += b * b;
  }
  sums.values[0] += r1, sums.values[1] += g1, sums.values[2] += b1;
  sums.products[0] += rr, sums.products[1] += rg, sums.products[2] += rb;
  sums.products[3] += gg, sums.products[4] += gb, sums.products[5] += bb;
}

}  // namespace

PixelSums::PixelSums(int image_side)
    : side(image_side), positions(static_cast<std::size_t>(image_side) * image_side * 3) {}

void PixelSums::add(std::span<const std::uint8_t> pixels, int workers) {
  const std::size_t image_bytes = positions.size(), row_bytes = static_cast<std::size_t>(side) * 3;
  const std::size_t count = pixels.size() / image_bytes;
  ensure(count * image_bytes == pixels.size(), "whole images are added");
  std::mutex lock;
  // A thread processes one row of all images: only this thread accesses that row's positions.
  parallel_for(side, workers, [&](std::int64_t row) {
    std::array<std::int64_t, 3> row_values{};
    std::array<std::int64_t, 6> row_products{};
    for (std::size_t image = 0; image < count; ++image) {
      const std::uint8_t* data = pixels.data() + image * image_bytes + row * row_bytes;
      add_positions(data, row_bytes, positions.data() + row * row_bytes);
      RowSums sums;
      add_colours(data, static_cast<std::size_t>(side), sums);
      for (std::size_t i = 0; i < 3; ++i) row_values[i] += sums.values[i];
      for (std::size_t i = 0; i < 6; ++i) row_products[i] += static_cast<std::int64_t>(sums.products[i]);
    }
    const std::lock_guard guard(lock);
    for (std::size_t i = 0; i < 3; ++i) values[i] += row_values[i];
    for (std::size_t i = 0; i < 6; ++i) products[i] += row_products[i];
  });
  images += static_cast<std::int64_t>(count);
}

void PixelSums::merge(const PixelSums& other) {
  ensure(side == other.side, "sums of images of one size are merged");
  images += other.images;
  for (std::size_t i = 0; i < 3; ++i) values[i] += other.values[i];
  for (std::size_t i = 0; i < 6; ++i) products[i] += other.products[i];
  for (std::size_t i = 0; i < positions.size(); ++i) positions[i] += other.positions[i];
}

void PixelSums::sum_over_ranks(Communicator& communicator) {
  communicator.sum(std::span(&images, 1));
  communicator.sum(std::span<std::int64_t>(values));
  communicator.sum(std::span<std::int64_t>(products));
  communicator.sum(std::span<std::int64_t>(positions));
}

Statistics statistics_of(const PixelSums& sums) {
  ensure(sums.images > 0, "statistics need an image");
  const double count = static_cast<double>(sums.images) * sums.side * sums.side;
  Statistics result{};
  for (int i = 0; i < 3; ++i)
    result.mean[i] = static_cast<double>(sums.values[static_cast<std::size_t>(i)]) / count;
  cv::Matx33d covariance;
  std::size_t next = 0;
  for (int i = 0; i < 3; ++i) {
    for (int j = i; j < 3; ++j) {
      const double value =
          static_cast<double>(sums.products[next++]) / count - result.mean[i] * result.mean[j];
      covariance(i, j) = covariance(j, i) = value;
    }
    result.std[i] = std::sqrt(std::max(0.0, covariance(i, i)));
  }
  cv::Mat eigenvalues, eigenvectors;
  cv::eigen(cv::Mat(covariance), eigenvalues, eigenvectors);  // largest first, one per row
  for (int i = 0; i < 3; ++i) {
    result.pca_values[i] = std::max(0.0, eigenvalues.at<double>(i));
    double* row = eigenvectors.ptr<double>(i);
    const double largest =
        *std::max_element(row, row + 3, [](double a, double b) { return std::abs(a) < std::abs(b); });
    for (int j = 0; j < 3; ++j) result.pca_vectors[i][j] = largest < 0 ? -row[j] : row[j];
  }
  return result;
}

std::vector<float> mean_image_of(const PixelSums& sums) {
  ensure(sums.images > 0, "a mean image needs an image");
  const std::size_t pixels = sums.positions.size() / 3;
  std::vector<float> mean(sums.positions.size());
  for (std::size_t pixel = 0; pixel < pixels; ++pixel) {
    for (std::size_t channel = 0; channel < 3; ++channel) {
      const auto sum = static_cast<double>(sums.positions[pixel * 3 + channel]);
      mean[channel * pixels + pixel] = static_cast<float>(sum / static_cast<double>(sums.images));
    }
  }
  return mean;
}

}  // namespace convoy
