// The fused normalisation and max-pool, both directions, against double loops on the host.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "engine/cuda/fused_pool.hpp"
#include "engine/cuda/kernel_test.hpp"

namespace convoy::cuda::test {
namespace {

FusedPoolShape shape_of(int rows, int height, int width, int channels, Element element,
                        const NormalisationConstants& normalisation, int after = 0) {
  FusedPoolShape shape;
  shape.input = {rows, channels, height, width, Layout::channels_last, element};
  shape.after = after;
  shape.output_height = (height + after - 3) / 2 + 1;
  shape.output_width = (width + after - 3) / 2 + 1;
  shape.normalisation = normalisation;
  return shape;
}

// The passes as loops, from the formulas.
class HostPool {
 public:
  HostPool(const FusedPoolShape& shape, std::vector<float> input) : shape_(shape), input_(std::move(input)) {
    const int channels = shape.input.channels;
    sums_.resize(input_.size());
    values_.resize(input_.size());
    for (std::size_t i = 0; i < input_.size(); ++i) {
      const int half = shape.normalisation.size / 2, c = static_cast<int>(i) % channels;
      double squares = 0;
      for (int d = std::max(c - half, 0); d <= std::min(c + half, channels - 1); ++d) {
        const double a = input_[i - static_cast<std::size_t>(c) + static_cast<std::size_t>(d)];
        squares += a * a;
      }
      const NormalisationConstants& constants = shape.normalisation;
      sums_[i] = has_normalisation() ? constants.k + double{constants.alpha} / constants.size * squares : 1;
      values_[i] = input_[i] * std::pow(sums_[i], -double{constants.beta});
    }
    find_maxima();
  }

  const std::vector<float>& pooled() const { return pooled_; }
  // Windows in which rounding that differs by a millionth could choose another place.
  const std::vector<bool>& unsure() const { return unsure_; }

  std::vector<double> input_gradient(std::span<const float> output_gradient) const {
    std::vector<double> incoming(input_.size()), result(input_.size());
    for (std::size_t o = 0; o < chosen_.size(); ++o) incoming[chosen_[o]] += output_gradient[o];
    const NormalisationConstants& constants = shape_.normalisation;
    const double factor = has_normalisation() ? 2.0 * constants.alpha * constants.beta / constants.size : 0;
    const int channels = shape_.input.channels, half = constants.size / 2;
    for (std::size_t i = 0; i < input_.size(); ++i) {
      if (!(input_[i] > 0)) continue;
      const int c = static_cast<int>(i) % channels;
      double sum = 0;
      for (int d = std::max(c - half, 0); d <= std::min(c + half, channels - 1); ++d) {
        const std::size_t j = i - static_cast<std::size_t>(c) + static_cast<std::size_t>(d);
        sum += incoming[j] * values_[j] / sums_[j];
      }
      result[i] = incoming[i] * std::pow(sums_[i], -double{constants.beta}) - factor * input_[i] * sum;
    }
    return result;
  }

 private:
  bool has_normalisation() const { return shape_.normalisation.size != 0; }

  void find_maxima() {
    const MapShape& in = shape_.input;
    for (int n = 0; n < in.rows; ++n) {
      for (int y = 0; y < shape_.output_height; ++y) {
        for (int x = 0; x < shape_.output_width; ++x) {
          for (int c = 0; c < in.channels; ++c) find_maximum(n, y, x, c);
        }
      }
    }
  }

  void find_maximum(int n, int y, int x, int c) {
    const MapShape& in = shape_.input;
    std::vector<std::size_t> places;
    for (int ky = 0; ky < 3; ++ky) {
      for (int kx = 0; kx < 3; ++kx) {
        if (y * 2 + ky >= in.height || x * 2 + kx >= in.width) continue;  // padding
        const int place = (n * in.height + y * 2 + ky) * in.width + x * 2 + kx;
        places.push_back(static_cast<std::size_t>(place * in.channels + c));
      }
    }
    const auto choose = [&](double factor_of_others, std::size_t favoured) {
      std::size_t best = places[0];
      const auto value = [&](std::size_t i) {
        return rounded(static_cast<float>(values_[i] * (i == favoured ? 1 : factor_of_others)), in.element);
      };
      for (const std::size_t i : places) {
        if (value(i) > value(best)) best = i;
      }
      return best;
    };
    const std::size_t best = choose(1, places[0]);
    const double other = in.element == Element::float32 ? 4e-6 : 1e-6;
    chosen_.push_back(best);
    pooled_.push_back(rounded(static_cast<float>(values_[best]), in.element));
    unsure_.push_back(has_normalisation() && values_[best] > 0 &&
                      (choose(1 + other, best) != best || choose(1 - other, best) != best));
  }

  FusedPoolShape shape_;
  std::vector<float> input_, pooled_;
  std::vector<double> sums_, values_;
  std::vector<std::size_t> chosen_;
  std::vector<bool> unsure_;
};

struct Found {
  std::vector<float> output, input_gradient, bias;
};

void expect_same(const std::vector<float>& found, const std::vector<float>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_TRUE(found[i] == expected[i] || (std::isnan(found[i]) && std::isnan(expected[i])))
        << "element " << i << ": " << found[i] << " instead of " << expected[i];
  }
}

// Forward (with codes and without: the same) and backward on the device; `bias` starts as `first_bias`
// everywhere.
Found run(cudaStream_t stream, const FusedPoolShape& shape, std::span<const float> input,
          std::span<const float> gradient, bool add, float first_bias) {
  const Element element = shape.input.element;
  const DeviceElements in(input, element, stream), incoming(gradient, element, stream);
  const DeviceElements output(gradient.size(), element, stream),
      input_gradient(input.size(), element, stream);
  const DeviceArray<float> bias(
      std::vector<float>(static_cast<std::size_t>(shape.input.channels), first_bias), stream);
  const DeviceArray<std::byte> scratch(fused_pool_scratch_bytes(shape), stream);
  const DeviceArray<std::byte> codes(fused_pool_code_bytes(shape), stream);
  fused_pool_forward(stream, in.data(), output.data(), nullptr, shape);
  const std::vector<float> without_codes = output.read();
  fused_pool_forward(stream, in.data(), output.data(), codes.data(), shape);
  expect_same(output.read(), without_codes);
  // Without normalisation backward does not read the input.
  fused_pool_backward(stream, shape.normalisation.size > 0 ? in.data() : nullptr, codes.data(),
                      incoming.data(), input_gradient.data(), shape, bias.data(), add, scratch.data());
  return {output.read(), input_gradient.read(), bias.read()};
}

template <typename Number>
double relative_error(std::span<const float> found, const std::vector<Number>& expected) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(static_cast<double>(found[i]) - static_cast<double>(expected[i]), 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  return norm == 0 ? difference : std::sqrt(difference / norm);
}

// Half the values 0, as behind a ReLU.
std::vector<float> random_activation(const MapShape& shape, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(shape.elements()));
  for (float& value : values) value = rounded(std::max(0.0F, normal(random)), shape.element);
  return values;
}

struct Case {
  int rows, height, width, channels, size;
  int after = 0;
  NormalisationConstants constants() const {
    // α so large that the normalisation matters.
    return {.size = size, .k = 2, .alpha = 0.5F, .beta = size == 3 ? 0.6F : 0.75F};
  }
};

std::vector<Case> cases() {
  return {
      {2, 9, 9, 16, 5},     // as in the engine's tests
      {1, 3, 3, 8, 5},      // one window; a float32 vector has one neighbour
      {3, 4, 6, 8, 5},      // a rest in both directions
      {2, 11, 8, 24, 5},    // places that straddle warps
      {1, 7, 9, 40, 3},     // β that has no short way
      {1, 9, 7, 72, 9},     // a window wider than a float32 vector on each side
      {1, 6, 13, 32, 7},    // warps of whole places
      {1, 5, 29, 96, 5},    // conv1's channels
      {2, 7, 27, 256, 5},   // conv2's: float32 in tiles
      {400, 5, 5, 8, 5},    // more images than blocks run at once: one band
      {2, 13, 13, 256, 0},  // conv5's: no normalisation
      {3, 8, 10, 16, 0},
      {2, 8, 8, 96, 0, 1},   // padded, as alexnet-cifar's: the last windows reach beyond the map
      {1, 10, 7, 40, 5, 1},  // in one direction they do, in the other they end with it
      {1, 5, 6, 8, 3, 2},
  };
}

class FusedPool : public KernelTest, public testing::WithParamInterface<std::tuple<Case, Element>> {};

std::string name_of_case(const testing::TestParamInfo<std::tuple<Case, Element>>& info) {
  const auto& [each, element] = info.param;
  return std::to_string(each.rows) + "x" + std::to_string(each.height) + "x" + std::to_string(each.width) +
         "x" + std::to_string(each.channels) + "_lrn" + std::to_string(each.size) +
         (each.after > 0 ? "_after" + std::to_string(each.after) : "") + "_" + test::name_of(element);
}

INSTANTIATE_TEST_SUITE_P(All, FusedPool,
                         testing::Combine(testing::ValuesIn(cases()), testing::ValuesIn(all_elements)),
                         name_of_case);

// One rounding of the result (2⁻⁹ and 2⁻¹² at most, about half of it on average); float32: roundings of the
// sums, the root and the products.
double tolerance(Element element) {
  if (element == Element::bfloat16) return 2.5e-3;
  if (element == Element::float16) return 3.5e-4;
  return 2e-6;
}

TEST_P(FusedPool, BothPassesAsOnTheHost) {
  const auto& [each, element] = GetParam();
  const FusedPoolShape shape =
      shape_of(each.rows, each.height, each.width, each.channels, element, each.constants(), each.after);
  ASSERT_TRUE(serves_fused_pool(shape));
  const std::vector<float> input = random_activation(shape.input, 3);
  const HostPool host(shape, input);
  std::vector<float> gradient = host.pooled();
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    gradient[i] = host.unsure()[i] ? 0 : rounded(normal(random), element);
  }

  const Found found = run(stream(), shape, input, gradient, true, 3);
  // Both sides are rounded: they differ only where the values before fall on two sides of a rounding.
  EXPECT_LE(relative_error(found.output, host.pooled()),
            element == Element::float32 ? tolerance(element) : tolerance(element) / 4);
  const std::vector<double> expected = host.input_gradient(gradient);
  EXPECT_LE(relative_error(found.input_gradient, expected), tolerance(element));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_TRUE(expected[i] != 0 || found.input_gradient[i] == 0) << "element " << i;
  }

  std::vector<double> bias(static_cast<std::size_t>(each.channels), 3);
  for (std::size_t i = 0; i < expected.size(); ++i) bias[i % bias.size()] += expected[i];
  EXPECT_LE(relative_error(found.bias, bias), 1e-5);  // of the gradients before they are rounded

  // Again, stored instead of added: the same bits.
  const Found again = run(stream(), shape, input, gradient, false, 99);
  EXPECT_EQ(found.input_gradient, again.input_gradient);
  for (double& value : bias) value -= 3;
  EXPECT_LE(relative_error(again.bias, bias), 1e-5);
}

TEST_P(FusedPool, TheFirstOfEqualMaximaTakesTheGradient) {
  const auto& [each, element] = GetParam();
  const FusedPoolShape shape =
      shape_of(each.rows, each.height, each.width, each.channels, element, each.constants(), each.after);
  // Every place of an image is alike, so every window's first place is its maximum.
  std::vector<float> input(static_cast<std::size_t>(shape.input.elements()));
  for (std::size_t i = 0; i < input.size(); ++i) {
    input[i] = 0.25F + 0.125F * static_cast<float>(i % static_cast<std::size_t>(each.channels) % 7);
  }
  const HostPool host(shape, input);
  const std::vector<float> gradient(host.pooled().size(), 1.5F);
  const Found found = run(stream(), shape, input, gradient, false, 0);
  const std::vector<double> expected = host.input_gradient(gradient);
  EXPECT_LE(relative_error(found.input_gradient, expected), tolerance(element));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_TRUE(expected[i] != 0 || found.input_gradient[i] == 0) << "element " << i;
  }
}

// What a code says, and that a window without a positive value passes nothing on, not even to neighbours.
TEST_P(FusedPool, WindowsWithoutAPositiveValueTakeNoGradient) {
  const auto& [each, element] = GetParam();
  const FusedPoolShape shape =
      shape_of(each.rows, each.height, each.width, each.channels, element, each.constants(), each.after);
  const std::vector<float> input(static_cast<std::size_t>(shape.input.elements()));
  const std::vector<float> gradient(HostPool(shape, input).pooled().size(), 1.5F);
  const Found found = run(stream(), shape, input, gradient, false, 0);
  const auto all_zero = [](const std::vector<float>& values) {
    return std::all_of(values.begin(), values.end(), [](float value) { return value == 0; });
  };
  EXPECT_TRUE(all_zero(found.output));
  EXPECT_TRUE(all_zero(found.input_gradient));
  EXPECT_TRUE(all_zero(found.bias));
}

class FusedPoolOnce : public FusedPool {};
INSTANTIATE_TEST_SUITE_P(All, FusedPoolOnce,
                         testing::Combine(testing::Values(Case{2, 9, 9, 32, 5}),
                                          testing::ValuesIn(all_elements)),
                         name_of_case);

TEST_P(FusedPoolOnce, EqualsNormalisationThenPool) {
  const auto& [each, element] = GetParam();
  const FusedPoolShape shape =
      shape_of(each.rows, each.height, each.width, each.channels, element, each.constants(), each.after);
  const std::vector<float> input = random_activation(shape.input, 11);
  const DeviceElements in = map_of(input, shape.input), between = empty_map(shape.input);
  normalisation_forward(stream(), in.data(), between.data(), shape.input, shape.normalisation);
  FusedPoolShape pool = shape;
  pool.normalisation.size = 0;
  const HostPool pooled(pool, between.read());
  const std::vector<float> none(pooled.pooled().size());
  // The last bit of a float32 may differ; a 16-bit value that this moves over a rounding is seldom.
  EXPECT_LE(relative_error(run(stream(), shape, input, none, false, 0).output, pooled.pooled()),
            tolerance(element) / 4);
}

TEST_P(FusedPoolOnce, NotANumberIsNotLost) {
  const auto& [each, element] = GetParam();
  const FusedPoolShape shape =
      shape_of(each.rows, each.height, each.width, each.channels, element, each.constants(), each.after);
  std::vector<float> input = random_activation(shape.input, 13);
  input[static_cast<std::size_t>((4 * each.width + 4) * each.channels + 9)] =
      INFINITY;  // ∞ · 0 behind the LRN
  const std::vector<float> none(
      static_cast<std::size_t>(shape.output_height * shape.output_width * each.rows * each.channels));
  const std::vector<float> output = run(stream(), shape, input, none, false, 0).output;
  EXPECT_EQ(std::count_if(output.begin(), output.end(), [](float value) { return std::isnan(value); }), 4);
}

TEST(FusedPoolShapes, WhatIsServed) {
  const NormalisationConstants lrn{5, 2, 1e-4F, 0.75F};
  const FusedPoolShape good = shape_of(4, 55, 55, 96, Element::bfloat16, lrn);
  EXPECT_TRUE(serves_fused_pool(good));
  EXPECT_TRUE(serves_fused_pool(shape_of(4, 27, 27, 256, Element::float32, lrn)));
  const auto served = [&](auto change) {
    FusedPoolShape shape = good;
    change(shape);
    return serves_fused_pool(shape);
  };
  EXPECT_FALSE(served([](auto& shape) { shape.input.layout = Layout::channels_first; }));
  EXPECT_FALSE(served([](auto& shape) { shape.input.channels = 92; }));
  EXPECT_FALSE(served([](auto& shape) { shape.input.channels = 4096; }));
  EXPECT_FALSE(served([](auto& shape) { shape.window = 2; }));
  EXPECT_FALSE(served([](auto& shape) { shape.stride = 1; }));
  EXPECT_FALSE(served([](auto& shape) { shape.output_width = 28; }));
  EXPECT_TRUE(serves_fused_pool(shape_of(4, 8, 8, 96, Element::bfloat16, {.size = 0}, 1)));
  EXPECT_TRUE(serves_fused_pool(shape_of(4, 9, 9, 96, Element::bfloat16, {.size = 0}, 1)));
  // A window that lies in the padding alone.
  EXPECT_FALSE(serves_fused_pool(shape_of(4, 8, 8, 96, Element::bfloat16, {.size = 0}, 3)));
  EXPECT_FALSE(served([](auto& shape) { shape.after = 1, shape.output_height = 28; }));
  EXPECT_FALSE(served([](auto& shape) { shape.normalisation.size = 4; }));
  EXPECT_FALSE(served([](auto& shape) { shape.normalisation.size = 11; }));
}

}  // namespace
}  // namespace convoy::cuda::test
