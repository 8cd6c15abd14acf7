// Local response normalisation across channels (channels_last) against its formula in double precision.
#include <algorithm>

#include "engine/cuda/kernel_test.hpp"
#include "engine/cuda/kernels.hpp"

namespace convoy::cuda::test {
namespace {

class NormalisationKernels : public KernelTest {};

struct Case {
  MapShape shape;
  NormalisationConstants constants;
  float spread = 1;  // of the values
};

Case make_case(int rows, int channels, int side, NormalisationConstants constants, float spread) {
  return {{rows, channels, side, side, Layout::channels_last, Element::float32}, constants, spread};
}

// Krizhevsky's constants, stronger ones, other windows and powers; channels that vectors do not divide, fewer
// channels than a window, and more than a block has threads; vectors of a place that lie in two warps and in
// two blocks.
const Case cases[] = {
    make_case(2, 96, 3, {5, 2, 1e-4F, 0.75F}, 30), make_case(1, 256, 3, {5, 1, 1e-4F, 0.75F}, 30),
    make_case(3, 8, 5, {5, 1, 2, 0.75F}, 1),       make_case(2, 7, 4, {5, 1, 1, 0.75F}, 1),
    make_case(2, 16, 3, {3, 1, 1, 0.5F}, 2),       make_case(2, 24, 2, {9, 0.5F, 1, 1.25F}, 1),
    make_case(1, 2, 2, {5, 1, 1, 0.75F}, 1),       make_case(1, 1, 1, {5, 1, 1, 0.75F}, 1),
    make_case(1, 520, 2, {5, 1, 1, 0.75F}, 1),     make_case(1, 301, 1, {5, 1, 1, 0.75F}, 1),
    make_case(1, 96, 15, {5, 2, 1, 0.75F}, 1)};

// Of one place: normalised values, and the gradient of its inputs from that of its outputs.
struct PlaceResult {
  std::vector<double> output, gradient;
};
PlaceResult normalise_place(std::span<const double> a, std::span<const double> g,
                            const NormalisationConstants& constants) {
  const int channels = static_cast<int>(a.size()), half = constants.size / 2;
  const double beta = constants.beta;
  std::vector<double> s(a.size());
  PlaceResult result{std::vector<double>(a.size()), std::vector<double>(a.size())};
  const auto over_window = [&](int channel, const auto& value) {
    double sum = 0;
    for (int c = std::max(channel - half, 0); c <= std::min(channel + half, channels - 1); ++c)
      sum += value(static_cast<std::size_t>(c));
    return sum;
  };
  for (int c = 0; c < channels; ++c) {
    const double squares = over_window(c, [&](std::size_t i) { return a[i] * a[i]; });
    s[static_cast<std::size_t>(c)] = double{constants.k} + double{constants.alpha} / constants.size * squares;
  }
  for (int c = 0; c < channels; ++c) {
    const auto i = static_cast<std::size_t>(c);
    const double mixed =
        over_window(c, [&](std::size_t j) { return g[j] * a[j] * std::pow(s[j], -beta - 1); });
    result.output[i] = a[i] * std::pow(s[i], -beta);
    result.gradient[i] =
        g[i] * std::pow(s[i], -beta) - 2 * double{constants.alpha} * beta / constants.size * a[i] * mixed;
  }
  return result;
}

void run_case(const Case& c, const MapShape& shape, cudaStream_t stream, bool in_place) {
  const auto count = static_cast<std::size_t>(shape.elements());
  const auto values = random_values(count, c.spread, shape.element);
  const auto gradients = random_values(count, 1, shape.element, 2);
  std::vector<double> output(count), gradient(count);
  const auto channels = static_cast<std::size_t>(shape.channels);
  for (std::size_t place = 0; place < count; place += channels) {
    const std::vector<double> a(values.begin() + place, values.begin() + place + channels);
    const std::vector<double> g(gradients.begin() + place, gradients.begin() + place + channels);
    const PlaceResult result = normalise_place(a, g, c.constants);
    std::copy(result.output.begin(), result.output.end(), output.begin() + place);
    std::copy(result.gradient.begin(), result.gradient.end(), gradient.begin() + place);
  }
  const DeviceElements input(values, shape.element, stream), other(count, shape.element, stream);
  const DeviceElements output_gradient(gradients, shape.element, stream);
  const DeviceElements input_gradient(count, shape.element, stream);
  const DeviceElements& to = in_place ? output_gradient : input_gradient;
  normalisation_backward(stream, input.data(), output_gradient.data(), to.data(), shape, c.constants);
  const DeviceElements& normalised = in_place ? input : other;
  normalisation_forward(stream, input.data(), normalised.data(), shape, c.constants);
  // Below 6e-5 float16 has a fixed step of 2^-24.
  const double step = shape.element == Element::float16 ? 0x1p-25 : 0;
  // Powers and sums of up to nine squares in float are good to some 20 roundings; the gradient is a
  // difference of two terms, neither much larger than the gradients (up to 5).
  expect_close(normalised.read(), output, rounding(shape.element) + 20 * 0x1p-24, step);
  expect_close(to.read(), gradient, rounding(shape.element), 40 * 5 * 0x1p-24);
}

TEST_F(NormalisationKernels, BothWays) {
  for (const Case& c : cases) {
    for (const Element element : all_elements) {
      MapShape shape = c.shape;
      shape.element = element;
      for (const bool in_place : {false, true}) {
        SCOPED_TRACE(name_of(shape) + (in_place ? " in place" : ""));
        run_case(c, shape, stream(), in_place);
      }
    }
  }
}

// More vectors than all blocks take in one turn; places are looked at here and there.
TEST_F(NormalisationKernels, BlocksGoOnInStrides) {
  const NormalisationConstants constants{5, 1, 1, 0.75F};
  const MapShape shape{1, 8, 725, 725, Layout::channels_last, Element::bfloat16};
  const auto count = static_cast<std::size_t>(shape.elements());
  const auto values = random_values(count, 1, shape.element);
  const auto gradients = random_values(count, 1, shape.element, 2);
  const DeviceElements input(values, shape.element, stream()), output(count, shape.element, stream());
  const DeviceElements output_gradient(gradients, shape.element, stream());
  const DeviceElements input_gradient(count, shape.element, stream());
  normalisation_forward(stream(), input.data(), output.data(), shape, constants);
  normalisation_backward(stream(), input.data(), output_gradient.data(), input_gradient.data(), shape,
                         constants);
  const auto found_output = output.read(), found_gradient = input_gradient.read();
  const std::size_t places = count / 8;
  for (const std::size_t place : {std::size_t{0}, places / 2, places - 1338, places - 1337, places - 1}) {
    const std::vector<double> a(values.begin() + 8 * place, values.begin() + 8 * place + 8);
    const std::vector<double> g(gradients.begin() + 8 * place, gradients.begin() + 8 * place + 8);
    const PlaceResult right = normalise_place(a, g, constants);
    for (std::size_t c = 0; c < 8; ++c) {
      EXPECT_NEAR(found_output[8 * place + c], right.output[c], 0.01) << "place " << place;
      EXPECT_NEAR(found_gradient[8 * place + c], right.gradient[c], 0.02) << "place " << place;
    }
  }
}

TEST_F(NormalisationKernels, WhatIsNotANumberStaysSeen) {
  const MapShape shape{1, 16, 1, 2, Layout::channels_last, Element::bfloat16};
  std::vector<float> values(32, 1.0F);
  values[5] = std::nanf("");
  const auto input = map_of(values, shape), output = empty_map(shape);
  normalisation_forward(stream(), input.data(), output.data(), shape, {});
  const auto result = output.read();
  for (std::size_t i = 0; i < result.size(); ++i) EXPECT_EQ(std::isnan(result[i]), i >= 3 && i <= 7) << i;
}

TEST_F(NormalisationKernels, EmptyMapsChangeNothing) {
  const MapShape none{0, 16, 4, 4, Layout::channels_last, Element::float16};
  EXPECT_NO_THROW(normalisation_forward(stream(), nullptr, nullptr, none, {}));
  EXPECT_NO_THROW(normalisation_backward(stream(), nullptr, nullptr, nullptr, none, {}));
}

}  // namespace
}  // namespace convoy::cuda::test
