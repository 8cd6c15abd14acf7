// How activations lie in device memory, and the small structures that kernels read from it: shared by the
// program (which places them) and the kernels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/host_device.hpp"

namespace convoy::cuda {

enum class Element { float32, bfloat16, float16 };

constexpr std::size_t bytes_of(Element element) {
  return element == Element::float32 ? 4 : 2;
}

// NCHW for float32, NHWC for tf32 and the 16-bit formats, where tensor cores want channels side by side. A
// fully connected layer's activation has height = width = 1, where both are the same.
enum class Layout { channels_first, channels_last };

// A batch of maps, packed.
struct MapShape {
  int rows = 0, channels = 0, height = 0, width = 0;
  Layout layout = Layout::channels_first;
  Element element = Element::float32;
  CONVOY_HOST_DEVICE std::int64_t row_elements() const { return std::int64_t{channels} * height * width; }
  CONVOY_HOST_DEVICE std::int64_t elements() const { return rows * row_elements(); }
  std::size_t bytes() const { return static_cast<std::size_t>(elements()) * bytes_of(element); }
};

// What cuDNN's descriptors can say.
constexpr std::int64_t most_map_elements = (std::int64_t{1} << 31) - 1;

// What changes from pass to pass; lies in device memory, written by an asynchronous copy before the pass, so
// that a recorded graph need not change. 48 bytes.
struct PassParameters {
  std::uint64_t seed = 0, step = 0;  // name the dropout bits
  std::int64_t first_position = 0;   // of row 0 in the global batch
  float gradient_scale = 1;          // 1 ÷ samples of the global batch
  std::int32_t rows = 0;             // rows that are there; the others take part with zeros and count nowhere
  std::int32_t reserved[2] = {};
};

// fp16's loss scale on the device; scale 1 and never changed in other precisions.
struct LossScaleState {
  float scale = 1;
  std::int32_t dynamic = 0;  // 1: halved and doubled as LossScale says (engine/update.hpp)
  std::int64_t good_steps = 0;
  std::int64_t skipped = 0;  // updates left out so far
};

// Sums over the training passes since the last update; one in device memory for each replica, one for each
// evaluation program.
struct MetricSums {
  double loss = 0;
  std::int64_t top1 = 0, top5 = 0, samples = 0;
};

// What the device writes of each step into page-locked memory, where the host reads it when the step's event
// has come.
struct DeviceStepResult {
  MetricSums metrics;
  double gradient_squares = 0;  // Σ g² of the reduced gradient, still multiplied by the loss scale
  float loss_scale = 1;         // that the step was computed with
  std::int32_t finite = 1;
  std::int32_t weights_sound = 1;  // those that the step was computed with
  std::int32_t reserved = 0;
};

}  // namespace convoy::cuda
