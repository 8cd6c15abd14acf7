// Every layer's forward and backward pass in double precision, as plain loops over canonical layouts: the
// oracle that engines are held against. Used by ReferenceNetwork and, alone, by tests.
#pragma once

#include <vector>

#include "engine/dropout_arithmetic.hpp"
#include "model/net_spec.hpp"

namespace convoy::test {

// `rows` samples of one shape, channel first: element (n, c, y, x) stands at ((n·C + c)·H + y)·W + x.
struct Tensor {
  int rows = 0;
  Shape shape;
  std::vector<double> values;

  Tensor() = default;
  Tensor(int sample_rows, Shape sample_shape)
      : rows(sample_rows),
        shape(sample_shape),
        values(static_cast<std::size_t>(sample_rows * sample_shape.elements())) {}

  double* plane(int row, int channel) {
    return values.data() + (1LL * row * shape.channels + channel) * shape.height * shape.width;
  }
  const double* plane(int row, int channel) const {
    return values.data() + (1LL * row * shape.channels + channel) * shape.height * shape.width;
  }
  double* sample(int row) { return plane(row, 0); }
  const double* sample(int row) const { return plane(row, 0); }
};

// Weight (OIHW, I per group; or out × in) and bias of a layer, or their gradients.
struct ConstParameters {
  const double* weight = nullptr;
  const double* bias = nullptr;
};
struct MutableParameters {
  double* weight = nullptr;
  double* bias = nullptr;
};

// Forward passes: `out` has its final shape and is overwritten.
void forward(const Convolution& layer, const ConstParameters& parameters, const Tensor& in, Tensor& out);
void forward(const FullyConnected& layer, const ConstParameters& parameters, const Tensor& in, Tensor& out);
void forward(const Relu& layer, const Tensor& in, Tensor& out);
void forward(const LocalResponseNormalisation& layer, const Tensor& in, Tensor& out);
void forward(const MaxPool& layer, const Tensor& in, Tensor& out);
void forward(const AdaptiveAveragePool& layer, const Tensor& in, Tensor& out);

// Backward passes: from the loss's gradient by `out` to the one by `in` (overwritten); those of parameters
// are added to what is there.
void backward(const Convolution& layer, const ConstParameters& parameters, const Tensor& in,
              const Tensor& out_gradient, Tensor& in_gradient, const MutableParameters& gradients);
void backward(const FullyConnected& layer, const ConstParameters& parameters, const Tensor& in,
              const Tensor& out_gradient, Tensor& in_gradient, const MutableParameters& gradients);
void backward(const Relu& layer, const Tensor& in, const Tensor& out_gradient, Tensor& in_gradient);
void backward(const LocalResponseNormalisation& layer, const Tensor& in, const Tensor& out_gradient,
              Tensor& in_gradient);
void backward(const MaxPool& layer, const Tensor& in, const Tensor& out_gradient, Tensor& in_gradient);
void backward(const AdaptiveAveragePool& layer, const Tensor& in, const Tensor& out_gradient,
              Tensor& in_gradient);

// out = in × (kept ? 1 / (1 − p) : 0); the same maps gradients back. Row r has position
// `first_position` + r in the global batch.
void apply_dropout(const Dropout& layer, const DropoutBits& bits, std::int64_t first_position,
                   const Tensor& in, Tensor& out);

}  // namespace convoy::test
