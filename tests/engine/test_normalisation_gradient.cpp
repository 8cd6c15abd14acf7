// The CPU engine's own gradient of local response normalisation against the double-precision reference, in
// every layout that it serves. The engine takes it only where oneDNN has nothing better, which depends on
// its version and the processor; here it runs everywhere.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "engine/cpu/normalisation_gradient.hpp"
#include "reference/reference_layers.hpp"

namespace convoy::cpu::test {
namespace {

using convoy::test::Tensor;
using Tag = memory::format_tag;

struct Case {
  const char* name;
  LocalResponseNormalisation layer;
  int channels, height, width;
};

// Fewer places than a thread takes at a time, more of them with a rest, and windows up to the widest.
constexpr Case cases[] = {{"conv1", {5, 2, 0.5F, 0.75F}, 96, 9, 11},
                          {"caffe", {5, 1, 0.8F, 0.75F}, 256, 3, 2},
                          {"another_power", {3, 1, 0.6F, 0.5F}, 16, 5, 4},
                          {"wide_window", {9, 1, 0.9F, 0.75F}, 32, 4, 4},
                          {"channels_inside_one_window", {9, 2, 0.7F, 0.75F}, 16, 1, 1}};

int block_of(Tag tag, int channels) {
  return tag == Tag::nhwc ? channels : tag == Tag::nChw8c ? 8 : 16;
}

// The place in memory of each element in canonical order.
std::vector<std::size_t> places_in(Tag tag, const Tensor& maps) {
  const int channels = maps.shape.channels, block = block_of(tag, channels);
  const int area = maps.shape.height * maps.shape.width;
  std::vector<std::size_t> result;
  for (int row = 0; row < maps.rows; ++row)
    for (int channel = 0; channel < channels; ++channel)
      for (int place = 0; place < area; ++place)
        result.push_back(static_cast<std::size_t>(row * channels * area + channel / block * area * block +
                                                  place * block + channel % block));
  return result;
}

std::vector<float> arranged(const Tensor& maps, const std::vector<std::size_t>& places) {
  std::vector<float> result(places.size());
  for (std::size_t i = 0; i < places.size(); ++i) result[places[i]] = static_cast<float>(maps.values[i]);
  return result;
}

Tensor random_maps(const Case& each, unsigned seed) {
  Tensor maps(3, {each.channels, each.height, each.width});
  std::mt19937 random(seed);
  // Halves and their neighbours: the same numbers in float and double.
  for (double& value : maps.values) value = static_cast<int>(random() % 257) / 64.0 - 2;
  return maps;
}

class NormalisationGradients : public testing::TestWithParam<std::tuple<Case, Tag>> {};

TEST_P(NormalisationGradients, AreAsTheReference) {
  const auto& [each, tag] = GetParam();
  const Tensor input = random_maps(each, 1), output_gradient = random_maps(each, 2);
  Tensor expected = input;
  backward(each.layer, input, output_gradient, expected);
  const auto own = NormalisationGradient::make(
      each.layer, memory::desc({3, each.channels, each.height, each.width}, memory::data_type::f32, tag));
  ASSERT_TRUE(own);
  const std::vector<std::size_t> places = places_in(tag, input);
  std::vector<float> found(places.size(), std::numeric_limits<float>::quiet_NaN());
  own->run(arranged(input, places).data(), arranged(output_gradient, places).data(), found.data());
  double largest = 0, difference = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    largest = std::max(largest, std::abs(expected.values[i]));
    const double off = std::abs(found[places[i]] - expected.values[i]);
    difference = std::isnan(off) ? INFINITY : std::max(difference, off);
  }
  // Some twenty roundings of float32: two sums of nine, a power, products and a division.
  EXPECT_LE(difference / largest, 20 * 0x1p-24);
}

INSTANTIATE_TEST_SUITE_P(All, NormalisationGradients,
                         testing::Combine(testing::ValuesIn(cases),
                                          testing::Values(Tag::nhwc, Tag::nChw8c, Tag::nChw16c)),
                         [](const auto& each) {
                           const Tag tag = std::get<1>(each.param);
                           return std::string(std::get<0>(each.param).name) + (tag == Tag::nhwc ? "_nhwc"
                                                                               : tag == Tag::nChw8c
                                                                                   ? "_blocks_of_8"
                                                                                   : "_blocks_of_16");
                         });

TEST(NormalisationGradient, ServesOnlyWhatItCanCompute) {
  const auto served = [](const LocalResponseNormalisation& layer, int channels, Tag tag,
                         memory::data_type type = memory::data_type::f32) {
    return NormalisationGradient::make(layer, memory::desc({2, channels, 3, 3}, type, tag)).has_value();
  };
  EXPECT_TRUE(served({5, 1, 1e-4F, 0.75F}, 512, Tag::nhwc));
  EXPECT_FALSE(served({5, 1, 1e-4F, 0.75F}, 513, Tag::nhwc));
  EXPECT_FALSE(served({5, 1, 1e-4F, 0.75F}, 20, Tag::nChw8c));  // the last block is filled up
  EXPECT_FALSE(served({5, 1, 1e-4F, 0.75F}, 16, Tag::nchw));
  EXPECT_FALSE(served({4, 1, 1e-4F, 0.75F}, 16, Tag::nhwc));
  EXPECT_FALSE(served({11, 1, 1e-4F, 0.75F}, 16, Tag::nhwc));
  EXPECT_FALSE(served({5, 1, 1e-4F, 0.75F}, 16, Tag::nhwc, memory::data_type::bf16));
}

}  // namespace
}  // namespace convoy::cpu::test
