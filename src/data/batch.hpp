// One rank's part of a (micro-)batch as passed from the loader to an engine: stored uint8 pixels, labels, and
// for each sample the position of its network input in the stored image. The engine's first operation crops,
// mirrors, warps, normalises and colours with data/input_arithmetic.hpp, the same on CPU and GPU; every
// random number in it was generated on the host.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace convoy {

// Output pixel (x, y) of the network's input is the stored image at
//   column = m[0]·x + m[1]·y + m[2],  row = m[3]·x + m[4]·y + m[5]
// (pixel centres at integers). Mirroring is part of the matrix. If `resample` is false, the matrix has
// entries 0 and ±1 and integer offsets, so pixels are fetched exactly; if it is true, pixels are interpolated
// bilinearly, and pixels outside the image equal the nearest one inside. `colour` is added to each pixel
// (0…255 scale) after the mean is subtracted.
struct SampleTransform {
  float matrix[6] = {1, 0, 0, 0, 1, 0};
  float colour[3] = {0, 0, 0};
  std::int32_t resample = 0;
};

// The engine's description of the stored images: input = (pixel − mean + colour) × scale per channel, RGB.
struct InputSpec {
  int stored_side = 0;      // S: images are S × S × 3, RGB, rows top to bottom
  int crop_side = 0;        // side of the network's input
  std::vector<float> mean;  // 3 values, or 3 · S · S (a mean image, channel first)
  float scale[3] = {1, 1, 1};
};

// A view: the loader's buffer owns the memory, which remains valid until the buffer is released.
struct BatchView {
  int rows = 0;                                 // valid samples; may be fewer than the program's batch, or 0
  std::span<const std::uint8_t> images;         // rows × S × S × 3
  std::span<const std::int32_t> labels;         // rows
  std::span<const SampleTransform> transforms;  // rows
  std::int64_t first_position = 0;              // of row 0 in the global batch: selects the dropout bits
};

}  // namespace convoy
