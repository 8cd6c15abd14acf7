// ReLU, its gradient with the bias sum, dropout and the conversions against plain loops on the host.
#include <algorithm>
#include <limits>

#include "engine/cuda/kernel_test.hpp"
#include "engine/cuda/kernels.hpp"
#include "engine/dropout_arithmetic.hpp"

namespace convoy::cuda::test {
namespace {

class ActivationKernels : public KernelTest {};

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

// Sizes that vectors of 16 bytes divide and such that they do not; fully connected activations too.
const MapShape shapes[] = {{1, 1, 1, 1},  {2, 3, 5, 7},  {3, 16, 4, 4},
                           {5, 24, 3, 3}, {4, 40, 1, 1}, {2, 9, 1, 1}};

std::vector<double> relu_of(std::span<const float> values) {
  std::vector<double> result(values.begin(), values.end());
  for (double& value : result) value = value < 0 ? 0 : value;
  return result;
}

TEST_F(ActivationKernels, ReluAndInPlace) {
  for (const MapShape& kind : shapes) {
    for_each_kind(kind, [&](const MapShape& shape) {
      auto values = random_values(static_cast<std::size_t>(shape.elements()), 1, shape.element);
      if (values.size() > 20) {
        values[3] = not_a_number;  // must stay to be seen
        values[4] = infinity;
        values[values.size() - 1] = -infinity;
      }
      const auto input = map_of(values, shape), output = empty_map(shape);
      relu(stream(), input.data(), output.data(), shape);
      relu(stream(), input.data(), input.data(), shape);
      expect_close(output.read(), relu_of(values), 0, 0);
      expect_close(input.read(), relu_of(values), 0, 0);
    });
  }
}

TEST_F(ActivationKernels, BiasWithAndWithoutRelu) {
  for (const MapShape& kind : shapes) {
    for_each_kind(kind, [&](const MapShape& shape) {
      const auto count = static_cast<std::size_t>(shape.elements());
      const auto channels = static_cast<std::size_t>(shape.channels);
      auto values = random_values(count, 1, shape.element);
      if (count > 20) {
        values[3] = not_a_number;  // must stay to be seen
        values[4] = infinity;
        values[count - 1] = -infinity;
      }
      const auto biases = random_values(channels, 1, shape.element, 2);
      const DeviceElements bias(biases, shape.element, stream());
      const auto plane = static_cast<std::size_t>(shape.height * shape.width);
      for (const bool with_relu : {true, false}) {
        const auto map = map_of(values, shape);
        add_bias(stream(), map.data(), bias.data(), with_relu, shape);
        std::vector<double> expected(count);
        for (std::size_t i = 0; i < count; ++i) {
          const std::size_t channel =
              shape.layout == Layout::channels_last ? i % channels : i / plane % channels;
          const float sum = values[i] + biases[channel];
          expected[i] = rounded(with_relu && sum < 0 ? 0.0F : sum, shape.element);
        }
        expect_close(map.read(), expected, 0, 0);
      }
    });
  }
}

TEST_F(ActivationKernels, ReluBackward) {
  for (const MapShape& kind : shapes) {
    for_each_kind(kind, [&](const MapShape& shape) {
      const auto count = static_cast<std::size_t>(shape.elements());
      const auto active = random_values(count, 1, shape.element);
      const auto gradients = random_values(count, 1, shape.element, 2);
      const auto activation = map_of(active, shape), gradient = map_of(gradients, shape);
      relu_backward(stream(), gradient.data(), activation.data(), shape);
      std::vector<double> expected(count);
      for (std::size_t i = 0; i < count; ++i) expected[i] = active[i] > 0 ? gradients[i] : 0;
      expect_close(gradient.read(), expected, 0, 0);
    });
  }
}

struct BiasSums {
  std::vector<double> sum, absolute;  // Σ and Σ |…| of each channel
};
BiasSums bias_sums(const MapShape& shape, std::span<const double> values) {
  const auto channels = static_cast<std::size_t>(shape.channels);
  BiasSums result{std::vector<double>(channels, 0.0), std::vector<double>(channels, 0.0)};
  for_each_place(shape, [&](int, int c, int, int, std::size_t index) {
    result.sum[static_cast<std::size_t>(c)] += values[index];
    result.absolute[static_cast<std::size_t>(c)] += std::abs(values[index]);
  });
  return result;
}

void expect_sums(std::span<const float> bias, const BiasSums& expected, double before) {
  for (std::size_t c = 0; c < bias.size(); ++c) {
    // At most some 80 additions in float, each with half a unit of its partial sum, then double.
    ASSERT_NEAR(bias[c], expected.sum[c] + before, 80 * 0x1p-24 * expected.absolute[c] + 1e-6 * before)
        << "channel " << c;
  }
}

TEST_F(ActivationKernels, ReluBackwardWithBias) {
  std::vector<MapShape> kinds(std::begin(shapes), std::end(shapes));
  kinds.push_back({7, 8, 23, 29});   // several blocks a channel
  kinds.push_back({3, 96, 9, 9});    // AlexNet's first map
  kinds.push_back({70, 300, 1, 1});  // a layer wider than a block
  kinds.push_back({3, 2100, 1, 1});  // and wider than a block's vectors
  kinds.push_back({600, 17, 1, 2});  // odd
  for (const MapShape& kind : kinds) {
    for_each_kind(kind, [&](const MapShape& shape) {
      const auto count = static_cast<std::size_t>(shape.elements());
      const auto active = random_values(count, 1, shape.element);
      const auto gradients = random_values(count, 1, shape.element, 2);
      const auto activation = map_of(active, shape);
      DeviceArray<std::byte> scratch(bias_scratch_bytes(shape), stream());
      std::vector<double> masked(count), all(gradients.begin(), gradients.end());
      for (std::size_t i = 0; i < count; ++i) masked[i] = active[i] > 0 ? gradients[i] : 0;
      for (const bool with_relu : {true, false}) {
        const auto gradient = map_of(gradients, shape);
        DeviceArray<float> bias(std::vector<float>(static_cast<std::size_t>(shape.channels), not_a_number),
                                stream());
        relu_backward_bias(stream(), gradient.data(), with_relu ? activation.data() : nullptr, shape,
                           bias.data(), false, scratch.data());
        const std::vector<double>& expected = with_relu ? masked : all;
        expect_close(gradient.read(), expected, 0, 0);
        expect_sums(bias.read(), bias_sums(shape, expected), 0);
        bias.write(std::vector<float>(static_cast<std::size_t>(shape.channels), 10.0F));
        relu_backward_bias(stream(), gradient.data(), nullptr, shape, bias.data(), true, scratch.data());
        expect_sums(bias.read(), bias_sums(shape, expected), 10);
      }
    });
  }
}

// Behind dropout: the bits of dropout's own gradient, then the ReLU's.
TEST_F(ActivationKernels, ReluBackwardWithBiasAndDropoutsFactor) {
  for (const MapShape& kind : {MapShape{5, 12, 1, 1}, MapShape{3, 8, 3, 4}, MapShape{4, 7, 2, 3}}) {
    for_each_kind(kind, [&](const MapShape& shape) {
      const auto count = static_cast<std::size_t>(shape.elements());
      const auto active = random_values(count, 1, shape.element);
      const auto gradients = random_values(count, 1, shape.element, 2);
      const auto activation = map_of(active, shape), gradient = map_of(gradients, shape);
      PassParameters parameters;
      parameters.rows = shape.rows;
      parameters.seed = 3;
      const auto pass = pass_of(parameters);
      const double p = 0.3;
      dropout(stream(), activation.data(), shape, pass.data(), 1, p);
      const auto apart = map_of(gradients, shape);
      dropout(stream(), apart.data(), shape, pass.data(), 1, p);
      relu_backward(stream(), apart.data(), activation.data(), shape);
      DeviceArray<std::byte> scratch(bias_scratch_bytes(shape), stream());
      DeviceArray<float> bias(static_cast<std::size_t>(shape.channels), stream());
      relu_backward_bias(stream(), gradient.data(), activation.data(), shape, bias.data(), false,
                         scratch.data(), static_cast<float>(1.0 / (1.0 - p)));
      const std::vector<float> found = gradient.read(), right = apart.read();
      EXPECT_EQ(found, right);
      EXPECT_GT(std::count_if(found.begin(), found.end(), [](float value) { return value != 0; }), 0);
      const std::vector<double> summed(found.begin(), found.end());
      expect_sums(bias.read(), bias_sums(shape, summed), 0);
    });
  }
}

// The sum must not be spoilt by length: 65,536 equal values that are not exact in binary.
TEST_F(ActivationKernels, BiasOfALongColumn) {
  const MapShape shape{64, 8, 32, 32, Layout::channels_last, Element::float32};
  const auto gradient = map_of(std::vector<float>(static_cast<std::size_t>(shape.elements()), 0.1F), shape);
  DeviceArray<std::byte> scratch(bias_scratch_bytes(shape), stream());
  DeviceArray<float> bias(8, stream());
  relu_backward_bias(stream(), gradient.data(), nullptr, shape, bias.data(), false, scratch.data());
  for (const float value : bias.read()) EXPECT_NEAR(value, 65536 * double{0.1F}, 6554 * 80 * 0x1p-24);
}

TEST_F(ActivationKernels, DropoutHasTheBitsOfTheCpu) {
  std::vector<MapShape> kinds(std::begin(shapes), std::end(shapes));
  kinds.push_back({3, 12, 2, 2});
  kinds.push_back({2, 5, 6, 6});
  for (const MapShape& kind : kinds) {
    for (const double p : {0.5, 0.1}) {
      for_each_kind(kind, [&](const MapShape& shape) {
        PassParameters parameters;
        parameters.seed = 0x123456789abcdefULL;
        parameters.step = (std::uint64_t{3} << 32) + 17;
        parameters.first_position = 1000;
        const auto pass = pass_of(parameters);
        const auto values = random_values(static_cast<std::size_t>(shape.elements()), 1, shape.element);
        const auto map = map_of(values, shape);
        dropout(stream(), map.data(), shape, pass.data(), 2, p);
        const DropoutBits bits{parameters.seed, parameters.step, 2, dropout_threshold(p)};
        const auto scale = static_cast<float>(1 / (1 - p));
        std::vector<double> expected(values.size(), 0.0);
        for_each_place(shape, [&](int row, int c, int y, int x, std::size_t index) {
          const auto unit = static_cast<std::uint32_t>((c * shape.height + y) * shape.width + x);
          const auto position = static_cast<std::uint32_t>(parameters.first_position + row);
          if (dropout_keep(bits, position, unit / 4).unit[unit % 4])
            expected[index] = rounded(values[index] * scale, shape.element);
        });
        expect_close(map.read(), expected, 0, 0);
      });
    }
  }
}

TEST_F(ActivationKernels, DroppedUnitsLoseEvenWhatIsNotANumber) {
  const MapShape shape{1, 64, 1, 1, Layout::channels_last, Element::bfloat16};
  const auto map = map_of(std::vector<float>(64, not_a_number), shape);
  const auto pass = pass_of({});
  dropout(stream(), map.data(), shape, pass.data(), 0, 0.5);
  int zeros = 0;
  for (const float value : map.read()) zeros += value == 0 ? 1 : 0;
  EXPECT_GT(zeros, 10);
  EXPECT_LT(zeros, 54);
}

TEST_F(ActivationKernels, Conversions) {
  for (const Element element : {Element::bfloat16, Element::float16}) {
    for (const std::size_t count : {1, 7, 8, 9, 64, 1003}) {
      SCOPED_TRACE(name_of(element) + " " + std::to_string(count));
      auto values = random_values(count, 3);
      const float special[] = {1e30F, -1e30F, infinity, 1e-7F, 65519.0F, not_a_number, -0.0F};
      for (std::size_t i = 0; i < count && i < std::size(special); ++i) values[i] = special[i];
      DeviceArray<float> input(values, stream()), output(count, stream());
      const DeviceElements narrow(count, element, stream());
      to_narrow(stream(), input.data(), narrow.data(), element, count);
      std::vector<double> expected(count);
      for (std::size_t i = 0; i < count; ++i) expected[i] = rounded(values[i], element);
      expect_close(narrow.read(), expected, 0, 0);
      from_narrow(stream(), narrow.data(), element, output.data(), false, count);
      expect_close(output.read(), expected, 0, 0);
      const auto addends = random_values(count, 1, Element::float32, 5);
      output.write(addends);
      from_narrow(stream(), narrow.data(), element, output.data(), true, count);
      for (std::size_t i = 0; i < count; ++i) expected[i] = addends[i] + static_cast<float>(expected[i]);
      expect_close(output.read(), expected, 0, 0);
    }
  }
}

// Ranges of a flat buffer begin where their bucket does, which need not be at 16 bytes.
TEST_F(ActivationKernels, ConversionsOfARangeWithin) {
  const std::size_t count = 83;
  const auto values = random_values(count, 3);
  DeviceArray<float> input(values, stream()), output(count, stream());
  for (const Element element : {Element::bfloat16, Element::float16}) {
    for (const std::size_t begin : {1, 2, 3, 4, 6}) {
      const DeviceElements narrow(count, element, stream());
      auto* const from = static_cast<std::uint16_t*>(narrow.data()) + begin;
      to_narrow(stream(), input.data() + begin, from, element, count - begin);
      from_narrow(stream(), from, element, output.data() + begin, false, count - begin);
      const auto result = output.read();
      for (std::size_t i = begin; i < count; ++i) ASSERT_EQ(result[i], rounded(values[i], element)) << i;
    }
  }
}

// More than a launch has threads: loops come round.
TEST_F(ActivationKernels, MoreThanALaunchHasThreads) {
  const MapShape shape{3, 720000, 1, 1, Layout::channels_last, Element::float32};
  const auto count = static_cast<std::size_t>(shape.elements());
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i % 1001) - 500;
  DeviceArray<float> map(values, stream());
  const DeviceElements narrow(count, Element::float16, stream());
  const auto pass = pass_of({});
  relu(stream(), map.data(), map.data(), shape);
  dropout(stream(), map.data(), shape, pass.data(), 0, 0.5);
  to_narrow(stream(), map.data(), narrow.data(), Element::float16, count);
  from_narrow(stream(), narrow.data(), Element::float16, map.data(), true, count);
  const DropoutBits bits{0, 0, 0, dropout_threshold(0.5)};
  const auto result = map.read();
  for (std::size_t i = 0; i < count; i += 4) {
    const auto unit = static_cast<std::uint32_t>(i % 720000);
    const DropoutKeep keep = dropout_keep(bits, static_cast<std::uint32_t>(i / 720000), unit / 4);
    for (std::size_t j = 0; j < 4; ++j)
      ASSERT_EQ(result[i + j], keep.unit[j] ? 4 * std::max(values[i + j], 0.0F) : 0) << i + j;
  }
}

TEST_F(ActivationKernels, EmptyMapsChangeNothing) {
  const MapShape none{0, 3, 4, 4, Layout::channels_last, Element::float32};
  EXPECT_NO_THROW(relu(stream(), nullptr, nullptr, none));
  EXPECT_NO_THROW(add_bias(stream(), nullptr, nullptr, true, none));
  EXPECT_NO_THROW(relu_backward(stream(), nullptr, nullptr, none));
  EXPECT_NO_THROW(dropout(stream(), nullptr, none, nullptr, 0, 0.5));
  EXPECT_NO_THROW(to_narrow(stream(), nullptr, nullptr, Element::bfloat16, 0));
  EXPECT_NO_THROW(from_narrow(stream(), nullptr, Element::bfloat16, nullptr, true, 0));
  // The sum over nothing is 0.
  DeviceArray<float> bias(std::vector<float>{5, 5, 5}, stream());
  DeviceArray<std::byte> scratch(std::max<std::size_t>(bias_scratch_bytes(none), 16), stream());
  relu_backward_bias(stream(), nullptr, nullptr, none, bias.data(), false, scratch.data());
  EXPECT_EQ(bias.read(), (std::vector<float>{0, 0, 0}));
}

}  // namespace
}  // namespace convoy::cuda::test
