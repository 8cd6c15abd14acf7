// Statistics against a plain computation in double precision, and exact whatever the order of summing.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "data/shape_painter.hpp"
#include "data/split_plan.hpp"
#include "data/statistics.hpp"

namespace convoy::test {
namespace {

constexpr int image_side = 9, image_count = 7;
constexpr std::size_t value_count = image_side * image_side * 3;

// Correlated colours, so that the axes are not those of the channels.
std::vector<std::uint8_t> random_images() {
  std::mt19937 generator(5);
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < image_count * image_side * image_side; ++i) {
    const int common = static_cast<int>(generator() % 150);
    for (const int spread : {10, 50, 100})
      pixels.push_back(static_cast<std::uint8_t>(common + static_cast<int>(generator() % spread)));
  }
  return pixels;
}

TEST(Statistics, MeanSpreadAndAxes) {
  const auto pixels = random_images();
  PixelSums sums(image_side);
  sums.add(pixels, 3);
  const Statistics result = statistics_of(sums);
  const double count = image_count * image_side * image_side;
  double mean[3] = {}, covariance[3][3] = {};
  for (std::size_t i = 0; i < pixels.size(); ++i) mean[i % 3] += pixels[i] / count;
  for (std::size_t i = 0; i < pixels.size(); i += 3)
    for (int a = 0; a < 3; ++a)
      for (int b = 0; b < 3; ++b)
        covariance[a][b] += (pixels[i + a] - mean[a]) * (pixels[i + b] - mean[b]) / count;
  EXPECT_GE(result.pca_values[0], result.pca_values[1]);
  EXPECT_GE(result.pca_values[1], result.pca_values[2]);
  for (int a = 0; a < 3; ++a) {
    EXPECT_NEAR(result.mean[a], mean[a], 1e-9);  // rounding of about a thousand additions in double
    EXPECT_NEAR(result.std[a], std::sqrt(covariance[a][a]), 1e-9);
    double length = 0, largest = 0;
    for (int b = 0; b < 3; ++b) {
      double product = 0;
      for (int c = 0; c < 3; ++c) product += covariance[b][c] * result.pca_vectors[a][c];
      EXPECT_NEAR(product, result.pca_values[a] * result.pca_vectors[a][b], 1e-8);
      length += result.pca_vectors[a][b] * result.pca_vectors[a][b];
      if (std::abs(result.pca_vectors[a][b]) > std::abs(largest)) largest = result.pca_vectors[a][b];
    }
    EXPECT_NEAR(length, 1, 1e-12);
    EXPECT_GT(largest, 0);
  }
}

TEST(Statistics, MeanImageIsChannelFirst) {
  const auto pixels = random_images();
  PixelSums sums(image_side);
  sums.add(pixels, 1);
  const auto mean = mean_image_of(sums);
  for (std::size_t value = 0; value < value_count; ++value) {
    int sum = 0;
    for (std::size_t image = 0; image < image_count; ++image) sum += pixels[image * value_count + value];
    const std::size_t place = value / 3, channel = value % 3;
    EXPECT_EQ(mean[channel * image_side * image_side + place],
              static_cast<float>(sum / static_cast<double>(image_count)));
  }
}

TEST(Statistics, SumsInPartsAreTheSame) {
  const auto pixels = random_images();
  PixelSums whole(image_side), parts(image_side), rest(image_side);
  whole.add(pixels, 2);
  parts.add(std::span(pixels).first(2 * value_count), 1);
  rest.add(std::span(pixels).subspan(2 * value_count), 4);
  rest.merge(parts);
  EXPECT_EQ(rest.images, whole.images);
  EXPECT_EQ(rest.values, whole.values);
  EXPECT_EQ(rest.products, whole.products);
  EXPECT_EQ(rest.positions, whole.positions);
}

TEST(SplitPlan, ShardsShareImagesEvenly) {
  SplitPlan plan;
  plan.split = "val";
  plan.image_size = 10;
  plan.shard_bytes = 300 * 4;
  plan.names.assign(10, "x");
  EXPECT_EQ(plan.shards(), 3);
  EXPECT_EQ(plan.shard_file(1), "val-00001-of-00003.h5");
  EXPECT_EQ(plan.shard(0).size() + plan.shard(1).size() + plan.shard(2).size(), 10);
  EXPECT_EQ(plan.shard(2).end, 10);
  plan.shard_bytes = 1;
  EXPECT_EQ(plan.shards(), 10);
}

TEST(SplitPlan, OrderDependsOnNamesAlone) {
  const std::vector<std::string> names{"a", "b", "c", "d", "e", "f"}, turned{"f", "e", "d", "c", "b", "a"};
  const auto first = stored_order(names), second = stored_order(turned);
  std::string in_order, in_turned;
  for (const auto i : first) in_order += names[i];
  for (const auto i : second) in_turned += turned[i];
  EXPECT_EQ(in_order, in_turned);
  EXPECT_NE(in_order, "abcdef");
}

TEST(ShapePainter, ImagesAreFunctionsOfTheirNumbers) {
  const auto paint = [](std::uint64_t seed, int index, std::uint32_t image) {
    std::vector<std::uint8_t> square(32 * 32 * 3);
    paint_synthetic_image(seed, index, 10, image, 32, square);
    return square;
  };
  EXPECT_EQ(paint(1, 2, 3), paint(1, 2, 3));
  EXPECT_NE(paint(1, 2, 3), paint(2, 2, 3));
  EXPECT_NE(paint(1, 2, 3), paint(1, 3, 3));
  EXPECT_NE(paint(1, 2, 3), paint(1, 2, 4));
}

TEST(ShapePainter, ClassIdsAreAllDifferent) {
  for (const int classes : {10, 40, 1000}) {
    std::vector<std::string> ids;
    for (int index = 0; index < classes; ++index) ids.push_back(synthetic_class_id(index, classes));
    std::sort(ids.begin(), ids.end());
    EXPECT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end()) << classes;
  }
}

}  // namespace
}  // namespace convoy::test
