// Random batches, means and parameters for tests of engines: pure functions of a seed, the same on every
// machine.
#pragma once

#include <cstdint>
#include <vector>

#include "base/philox.hpp"
#include "data/batch.hpp"
#include "model/net_spec.hpp"
#include "model/parameter_table.hpp"

namespace convoy::test {

// Uniform numbers from Philox, in draw order.
class RandomSource {
 public:
  explicit RandomSource(std::uint64_t seed) : seed_(seed) {}
  std::uint32_t bits();
  double uniform(double low, double high);
  int integer(int bound);  // in [0, bound)

 private:
  std::uint64_t seed_;
  std::uint32_t drawn_ = 0;
  PhiloxBlock block_{};
};

// Owns what a BatchView points at.
struct TestBatch {
  std::vector<std::uint8_t> images;
  std::vector<std::int32_t> labels;
  std::vector<SampleTransform> transforms;
  std::int64_t first_position = 0;

  int rows() const { return static_cast<int>(labels.size()); }
  BatchView view() const { return {rows(), images, labels, transforms, first_position}; }
  // The samples [begin, begin + count) at their places in the global batch.
  TestBatch part(int begin, int count) const;
};

enum class TransformKind { centre, crop_and_mirror, warp };

// Random images (smooth waves plus noise, so that neighbouring pixels are alike as in photographs), labels
// below `classes`, and transforms of the kind asked for; warps and crops get colour too.
TestBatch random_batch(const InputSpec& input, int classes, int rows, TransformKind kind, std::uint64_t seed);

// Input of `spec` cut from images of `stored_side`, mean values near the middle of the range (or a mean
// image), scaled to about [−2, 2].
InputSpec test_input(const NetSpec& spec, int stored_side, bool mean_image = false);

// Parameters of a size that keeps activations and gradients alive through all layers: weights
// U(−√(3/fan_in)·gain, …), biases U(0, 0.2); gaps zero.
std::vector<float> random_parameters(const ParameterTable& table, std::uint64_t seed, double gain = 1.4);

}  // namespace convoy::test
