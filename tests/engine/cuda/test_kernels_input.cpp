// The input stage, padding and adaptive pool against plain loops on the host.
#include "data/input_arithmetic.hpp"
#include "engine/cuda/kernel_test.hpp"
#include "engine/cuda/kernels.hpp"

namespace convoy::cuda::test {
namespace {

class InputKernels : public KernelTest {};

std::vector<std::uint8_t> random_pixels(std::size_t count) {
  std::mt19937 bits(7);
  std::vector<std::uint8_t> pixels(count);
  for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(bits());
  return pixels;
}

// A plain crop, a mirrored crop, the crop at the image's end mirrored, and a warp that leaves the image.
std::vector<SampleTransform> some_transforms(int rows, int crop, int stored) {
  std::vector<SampleTransform> transforms(static_cast<std::size_t>(rows));
  const auto last = static_cast<float>(stored - crop);
  const SampleTransform kinds[4] = {{{1, 0, last, 0, 1, 1}, {0, 0, 0}, 0},
                                    {{-1, 0, static_cast<float>(crop - 1), 0, 1, 0}, {1.5F, -2, 0.25F}, 0},
                                    {{-1, 0, static_cast<float>(stored - 1), 0, 1, last}, {0, 0, 0}, 0},
                                    {{0.8F, -0.6F, 1.3F, 0.7F, 0.9F, -2.2F}, {0, 3, -1}, 1}};
  for (int row = 0; row < rows; ++row) transforms[static_cast<std::size_t>(row)] = kinds[row % 4];
  return transforms;
}

struct InputCase {
  int stored, crop, rows, there;
  InputFrame frame;
  int height, width;  // of the map
};

class InputStage : public KernelTest {
 protected:
  // Every value of the map against the arithmetic of the CPU, a host loop over pixels.
  void expect_input(const InputCase& c, Element element, Layout layout, bool mean_image) {
    const auto images =
        random_pixels(static_cast<std::size_t>(c.there) * static_cast<std::size_t>(c.stored * c.stored * 3));
    const auto transforms = some_transforms(c.rows, c.crop, c.stored);
    const auto mean = random_values(mean_image ? static_cast<std::size_t>(3 * c.stored * c.stored) : 3, 60);
    // Rows that are absent have no memory: none of it may be read.
    const DeviceArray<std::uint8_t> device_images(images, stream());
    const DeviceArray<SampleTransform> device_transforms(transforms, stream());
    const DeviceArray<float> device_mean(mean, stream());
    PassParameters parameters;
    parameters.rows = c.there;
    const auto pass = pass_of(parameters);
    const int patch = c.frame.patch;
    const MapShape shape{c.rows, 3 * patch * patch, c.height, c.width, layout, element};
    SCOPED_TRACE(name_of(shape));
    const InputConstants constants{device_mean.data(), c.stored, mean_image, {0.02F, 0.015F, 1.0F}};
    const auto output = empty_map(shape);
    input_stage(stream(), device_images.data(), device_transforms.data(), constants, pass.data(),
                output.data(), shape, c.frame);
    std::vector<double> expected(static_cast<std::size_t>(shape.elements()), 0.0);
    for_each_place(shape, [&](int row, int channel, int map_y, int map_x, std::size_t index) {
      const int pixel = channel / 3, colour = channel % 3;
      const int y = map_y * patch + pixel / patch - c.frame.before;
      const int x = map_x * patch + pixel % patch - c.frame.before;
      if (row >= c.there || y < 0 || x < 0 || y >= c.crop || x >= c.crop) return;
      const StoredImage image{images.data() + static_cast<std::ptrdiff_t>(row) * c.stored * c.stored * 3,
                              mean.data(), c.stored, mean_image};
      expected[index] = input_value(image, transforms[static_cast<std::size_t>(row)], constants.scale[colour],
                                    colour, y, x);
    });
    // A device may contract a product into a sum: a few roundings of values up to some 500, before the one
    // to the element.
    expect_close(output.read(), expected, rounding(element), 500 * 0x1p-21);
  }
};

// Images of 243 bytes begin at every place of a word; maps with and without zeros around, with pixels that
// they have no room for, and with rows that begin anywhere in a vector.
TEST_F(InputStage, IsTheArithmeticOfTheCpu) {
  for (const Element element : all_elements) {
    for (const bool mean_image : {false, true}) {
      for (const Layout layout : all_layouts) {
        expect_input({9, 7, 7, 6, {7, 0, 1}, 7, 7}, element, layout, mean_image);
        expect_input({9, 7, 7, 6, {7, 1, 1}, 10, 10}, element, layout, mean_image);
      }
    }
  }
}

TEST_F(InputStage, PutsPatchesSideBySide) {
  for (const Element element : all_elements) {
    for (const bool mean_image : {false, true}) {
      expect_input({9, 7, 6, 5, {7, 0, 2}, 4, 4}, element, Layout::channels_last, mean_image);
      expect_input({9, 8, 6, 5, {8, 3, 2}, 6, 7}, element, Layout::channels_last, mean_image);
      expect_input({9, 8, 3, 3, {8, 1, 2}, 3, 3}, element, Layout::channels_last, mean_image);
      expect_input({13, 11, 6, 5, {11, 0, 4}, 3, 3}, element, Layout::channels_last, mean_image);
      expect_input({13, 12, 6, 5, {12, 3, 4}, 5, 4}, element, Layout::channels_last, mean_image);
      expect_input({13, 12, 3, 3, {12, 2, 4}, 3, 2}, element, Layout::channels_last, mean_image);
    }
  }
}

// Rows of more pixels than a block takes.
TEST_F(InputStage, ServesRowsOfAnyLength) {
  for (const Layout layout : all_layouts)
    expect_input({270, 262, 1, 1, {262, 1, 1}, 9, 264}, Element::bfloat16, layout, false);
  expect_input({270, 262, 1, 1, {262, 1, 2}, 5, 132}, Element::float16, Layout::channels_last, true);
  expect_input({270, 262, 2, 1, {262, 2, 4}, 3, 67}, Element::bfloat16, Layout::channels_last, false);
  expect_input({270, 262, 1, 1, {262, 2, 4}, 3, 67}, Element::float32, Layout::channels_last, false);
}

// The filter over patches has the layer's values where its kernel reaches and zeros elsewhere; gathering the
// gradient takes the same places.
TEST_F(InputKernels, FiltersGoToPatchesAndBack) {
  for (const PatchFilter& filter : {PatchFilter{5, 11, 3, 4}, PatchFilter{6, 5, 3, 2},
                                    PatchFilter{2, 4, 3, 4}, PatchFilter{1, 3, 2, 5}}) {
    const int k = filter.kernel, p = filter.patch, side = filter.side();
    const auto own = static_cast<std::size_t>(filter.filters * k * k * filter.channels);
    const auto wide = static_cast<std::size_t>(filter.elements());
    ASSERT_GE(side * p, k);
    ASSERT_LT((side - 1) * p, k);
    ASSERT_EQ(wide, own / static_cast<std::size_t>(k * k) * static_cast<std::size_t>(side * p * side * p));
    for (const Element element : all_elements) {
      SCOPED_TRACE(name_of(element));
      const auto values = random_values(own, 1, element), gradient = random_values(wide, 1, element, 2);
      const auto before = random_values(own, 1, Element::float32, 3);
      std::vector<float> patched(wide, 0.0F), stored(own);
      for (int f = 0; f < filter.filters; ++f) {
        for (int y = 0; y < k; ++y) {
          for (int x = 0; x < k; ++x) {
            for (int c = 0; c < filter.channels; ++c) {
              const int place = (f * side + y / p) * side + x / p, pixel = y % p * p + x % p;
              const auto there = static_cast<std::size_t>((place * p * p + pixel) * filter.channels + c);
              const auto here = static_cast<std::size_t>(((f * k + y) * k + x) * filter.channels + c);
              patched[there] = values[here];
              stored[here] = gradient[there];
            }
          }
        }
      }
      const DeviceElements input(values, element, stream()), output(wide, element, stream());
      to_patches(stream(), input.data(), element, filter, output.data());
      EXPECT_EQ(output.read(), patched);
      const DeviceElements narrow(gradient, element, stream());
      const DeviceArray<float> sum(before, stream());
      from_patches(stream(), narrow.data(), element, filter, sum.data(), false);
      EXPECT_EQ(sum.read(), stored);
      from_patches(stream(), narrow.data(), element, filter, sum.data(), true);
      for (float& value : stored) value += value;
      EXPECT_EQ(sum.read(), stored);
    }
  }
}

TEST_F(InputKernels, PaddingAndBack) {
  struct Case {
    int channels, side, before, after;
  };
  for (const Case& c : {Case{3, 5, 1, 2}, Case{8, 4, 2, 1}, Case{16, 3, 0, 1}, Case{1, 1, 1, 0}}) {
    for_each_kind({3, c.channels, c.side, c.side + 1}, [&](const MapShape& shape) {
      const auto values = random_values(static_cast<std::size_t>(shape.elements()), 1, shape.element);
      const auto input = map_of(values, shape);
      MapShape padded = shape;
      padded.height += c.before + c.after;
      padded.width += c.before + c.after;
      for (const Fill fill : {Fill::zero, Fill::lowest}) {
        const auto output = empty_map(padded), back = empty_map(shape);
        pad(stream(), input.data(), shape, c.before, c.after, fill, output.data());
        unpad(stream(), output.data(), shape, c.before, c.after, back.data());
        const auto result = output.read();
        for_each_place(padded, [&](int row, int channel, int y, int x, std::size_t index) {
          const int from_y = y - c.before, from_x = x - c.before;
          if (from_y >= 0 && from_x >= 0 && from_y < shape.height && from_x < shape.width) {
            ASSERT_EQ(result[index], values[index_in(shape, row, channel, from_y, from_x)]);
          } else if (fill == Fill::zero) {
            ASSERT_EQ(result[index], 0);
          } else {
            ASSERT_LE(result[index], -65504);  // fp16's lowest; no activation lies below it
            ASSERT_TRUE(std::isfinite(result[index]));
          }
        });
        ASSERT_EQ(back.read(), values);
      }
    });
  }
}

int window_begin(int in_side, int out_side, int index) {
  return index * in_side / out_side;
}
int window_end(int in_side, int out_side, int index) {
  return ((index + 1) * in_side + out_side - 1) / out_side;
}

// Calls visit(input y, input x, output y, output x, share).
template <typename Visit>
void for_each_share(const MapShape& in, int side, const Visit& visit) {
  for (int oy = 0; oy < side; ++oy) {
    for (int ox = 0; ox < side; ++ox) {
      const int top = window_begin(in.height, side, oy), bottom = window_end(in.height, side, oy);
      const int left = window_begin(in.width, side, ox), right = window_end(in.width, side, ox);
      const double share = 1.0 / ((bottom - top) * (right - left));
      for (int y = top; y < bottom; ++y)
        for (int x = left; x < right; ++x) visit(y, x, oy, ox, share);
    }
  }
}

// Sides that divide, that do not, that are equal, and an output larger than its input.
TEST_F(InputKernels, AdaptivePoolBothWays) {
  struct Case {
    int channels, height, width, output;
  };
  for (const Case& c : {Case{3, 13, 13, 6}, Case{8, 6, 6, 6}, Case{16, 7, 5, 3}, Case{5, 2, 3, 4},
                        Case{24, 12, 12, 6}, Case{1, 1, 1, 1}}) {
    for_each_kind({2, c.channels, c.height, c.width}, [&](const MapShape& in) {
      MapShape out = in;
      out.height = out.width = c.output;
      const auto values = random_values(static_cast<std::size_t>(in.elements()), 1, in.element);
      const auto gradient = random_values(static_cast<std::size_t>(out.elements()), 1, in.element, 2);
      std::vector<double> pooled(gradient.size(), 0.0), back(values.size(), 0.0);
      for (int row = 0; row < in.rows; ++row) {
        for (int channel = 0; channel < in.channels; ++channel) {
          for_each_share(in, c.output, [&](int y, int x, int oy, int ox, double share) {
            const std::size_t from = index_in(in, row, channel, y, x);
            const std::size_t to = index_in(out, row, channel, oy, ox);
            pooled[to] += share * values[from];
            back[from] += share * gradient[to];
          });
        }
      }
      const auto input = map_of(values, in), output_gradient = map_of(gradient, out);
      const auto output = empty_map(out), input_gradient = empty_map(in);
      adaptive_pool_forward(stream(), input.data(), in, output.data(), c.output);
      adaptive_pool_backward(stream(), output_gradient.data(), in, input_gradient.data(), c.output);
      // Sums of at most 16 terms up to 5 in float, then one rounding to the element.
      expect_close(output.read(), pooled, rounding(in.element), 16 * 5 * 0x1p-23);
      expect_close(input_gradient.read(), back, rounding(in.element), 16 * 5 * 0x1p-23);
    });
  }
}

TEST_F(InputKernels, EmptyMapsChangeNothing) {
  const MapShape none{0, 3, 4, 4, Layout::channels_last, Element::float32};
  EXPECT_NO_THROW(input_stage(stream(), nullptr, nullptr, {}, nullptr, nullptr, none, {}));
  EXPECT_NO_THROW(pad(stream(), nullptr, none, 1, 1, Fill::zero, nullptr));
  EXPECT_NO_THROW(unpad(stream(), nullptr, none, 1, 1, nullptr));
  EXPECT_NO_THROW(adaptive_pool_forward(stream(), nullptr, none, nullptr, 2));
  EXPECT_NO_THROW(adaptive_pool_backward(stream(), nullptr, none, nullptr, 2));
  EXPECT_EQ(cudaStreamSynchronize(stream()), cudaSuccess);
}

}  // namespace
}  // namespace convoy::cuda::test
