// The arithmetic of an engine's first operation: one value of the network's input from a stored uint8 image,
// cropped, mirrored, warped, normalised and coloured. Written once for the CPU's loop and the GPU's kernel.
#pragma once

#include <cstdint>

#include "base/host_device.hpp"
#include "data/batch.hpp"

namespace convoy {

// A stored image and its mean. `mean` has 3 values, or 3 · side · side (channel first) if `mean_image` is
// true.
struct StoredImage {
  const std::uint8_t* pixels = nullptr;  // side × side × 3
  const float* mean = nullptr;
  int side = 0;
  bool mean_image = false;
};

// Pixel minus mean at (row, column) of the stored image, which must be inside it.
CONVOY_HOST_DEVICE inline float centred_pixel(const StoredImage& image, int channel, int row, int column) {
  const std::int64_t pixel = static_cast<std::int64_t>(row) * image.side + column;
  const float mean = image.mean_image
                         ? image.mean[static_cast<std::int64_t>(channel) * image.side * image.side + pixel]
                         : image.mean[channel];
  return static_cast<float>(image.pixels[pixel * 3 + channel]) - mean;
}

// `value` clamped to [0, side − 1].
CONVOY_HOST_DEVICE inline float inside(float value, int side) {
  const float last = static_cast<float>(side - 1);
  return value < 0.0F ? 0.0F : (value > last ? last : value);
}

// Bilinear interpolation of the centred pixels at a real position; pixels outside equal the nearest one
// inside.
CONVOY_HOST_DEVICE inline float interpolated_pixel(const StoredImage& image, int channel, float row,
                                                   float column) {
  const float y = inside(row, image.side), x = inside(column, image.side);
  const int top = static_cast<int>(y), left = static_cast<int>(x);
  const int bottom = top + 1 < image.side ? top + 1 : top, right = left + 1 < image.side ? left + 1 : left;
  const float down = y - static_cast<float>(top), along = x - static_cast<float>(left);
  const float above = centred_pixel(image, channel, top, left) * (1.0F - along) +
                      centred_pixel(image, channel, top, right) * along;
  const float below = centred_pixel(image, channel, bottom, left) * (1.0F - along) +
                      centred_pixel(image, channel, bottom, right) * along;
  return above * (1.0F - down) + below * down;
}

// (pixel − mean + colour) × scale: the last operation of every path.
CONVOY_HOST_DEVICE inline float normalised(float centred, float colour, float scale) {
  return (centred + colour) * scale;
}

// Value of the network's input at (channel, y, x).
CONVOY_HOST_DEVICE inline float input_value(const StoredImage& image, const SampleTransform& transform,
                                            float scale, int channel, int y, int x) {
  const float* m = transform.matrix;
  const float fx = static_cast<float>(x), fy = static_cast<float>(y);
  const float column = m[0] * fx + m[1] * fy + m[2];
  const float row = m[3] * fx + m[4] * fy + m[5];
  const float centred = transform.resample != 0
                            ? interpolated_pixel(image, channel, row, column)
                            : centred_pixel(image, channel, static_cast<int>(row), static_cast<int>(column));
  return normalised(centred, transform.colour[channel], scale);
}

}  // namespace convoy
