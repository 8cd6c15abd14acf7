// The input stage, padding and adaptive pool against plain loops on the host.
#include "data/input_arithmetic.hpp"
#include "engine/cuda/kernel_test.hpp"
#include "engine/cuda/kernels.hpp"

namespace convoy::cuda::test {
namespace {

class InputKernels : public KernelTest {};

constexpr int stored_side = 9;

std::vector<std::uint8_t> random_pixels(std::size_t count) {
  std::mt19937 bits(7);
  std::vector<std::uint8_t> pixels(count);
  for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(bits());
  return pixels;
}

// A plain crop, a mirrored crop and a warp that leaves the image.
std::vector<SampleTransform> some_transforms(int rows, int crop) {
  std::vector<SampleTransform> transforms(static_cast<std::size_t>(rows));
  for (int row = 0; row < rows; ++row) {
    SampleTransform& transform = transforms[static_cast<std::size_t>(row)];
    const SampleTransform kinds[3] = {{{1, 0, 2, 0, 1, 1}, {0, 0, 0}, 0},
                                      {{-1, 0, static_cast<float>(crop - 1), 0, 1, 0}, {1.5F, -2, 0.25F}, 0},
                                      {{0.8F, -0.6F, 1.3F, 0.7F, 0.9F, -2.2F}, {0, 3, -1}, 1}};
    transform = kinds[row % 3];
  }
  return transforms;
}

TEST_F(InputKernels, InputStageIsTheArithmeticOfTheCpu) {
  const int crop = 7, rows = 7, there = 5;
  const auto images = random_pixels(std::size_t{rows} * stored_side * stored_side * 3);
  const auto transforms = some_transforms(rows, crop);
  DeviceArray<std::uint8_t> device_images(images, stream());
  DeviceArray<SampleTransform> device_transforms(transforms, stream());
  PassParameters parameters;
  parameters.rows = there;
  const auto pass = pass_of(parameters);
  for (const bool mean_image : {false, true}) {
    const auto mean = random_values(mean_image ? 3 * stored_side * stored_side : 3, 60);
    DeviceArray<float> device_mean(mean, stream());
    for (const int before : {0, 1}) {
      const int after = before * 2, side = crop + before + after;
      for_each_kind({rows, 3, side, side}, [&](const MapShape& shape) {
        InputConstants constants{device_mean.data(), stored_side, mean_image, {0.02F, 0.015F, 1.0F}};
        const auto output = empty_map(shape);
        input_stage(stream(), device_images.data(), device_transforms.data(), constants, pass.data(),
                    output.data(), shape, before, after);
        std::vector<double> expected(static_cast<std::size_t>(shape.elements()), 0.0);
        for_each_place(shape, [&](int row, int c, int y, int x, std::size_t index) {
          const bool inside = y >= before && x >= before && y < before + crop && x < before + crop;
          if (row >= there || !inside) return;
          const StoredImage image{images.data() + std::size_t(row) * stored_side * stored_side * 3,
                                  mean.data(), stored_side, mean_image};
          expected[index] = input_value(image, transforms[static_cast<std::size_t>(row)], constants.scale[c],
                                        c, y - before, x - before);
        });
        // A device may contract a product into a sum: a few roundings of values up to some 500, before the
        // one to the element.
        expect_close(output.read(), expected, rounding(shape.element), 500 * 0x1p-21);
      });
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
  EXPECT_NO_THROW(input_stage(stream(), nullptr, nullptr, {}, nullptr, nullptr, none, 0, 0));
  EXPECT_NO_THROW(pad(stream(), nullptr, none, 1, 1, Fill::zero, nullptr));
  EXPECT_NO_THROW(unpad(stream(), nullptr, none, 1, 1, nullptr));
  EXPECT_NO_THROW(adaptive_pool_forward(stream(), nullptr, none, nullptr, 2));
  EXPECT_NO_THROW(adaptive_pool_backward(stream(), nullptr, none, nullptr, 2));
  EXPECT_EQ(cudaStreamSynchronize(stream()), cudaSuccess);
}

}  // namespace
}  // namespace convoy::cuda::test
