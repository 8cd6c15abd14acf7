// A whole network in double precision: forward, loss, counts, gradients. The oracle of engine tests and of
// tests of data-parallel training.
#pragma once

#include <span>
#include <vector>

#include "data/batch.hpp"
#include "engine/replica.hpp"
#include "model/parameter_table.hpp"
#include "reference/reference_layers.hpp"

namespace convoy::test {

class ReferenceNetwork {
 public:
  ReferenceNetwork(NetSpec spec, InputSpec input);

  // Rounds weights, activations and their gradients (all but the scores and the parameters' gradients) to
  // `bits` of mantissa between layers, as engines of lower precision store them: 8 for bf16, 11 for fp16 and
  // tf32. 0, the default: double throughout. Without this, maxima and ReLUs that lie within a rounding of
  // each other switch, and gradients of deep networks differ by a fifth.
  void round_storage(int bits) { storage_bits_ = bits; }

  const NetSpec& spec() const { return spec_; }
  const ParameterTable& table() const { return table_; }

  // Flat buffers in ParameterTable's layout.
  std::vector<double>& parameters() { return parameters_; }
  std::vector<double>& gradients() { return gradients_; }
  void set_parameters(std::span<const float> values) { parameters_.assign(values.begin(), values.end()); }

  // Runs all rows of `batch`; dropout works in training mode only.
  void forward(const BatchView& batch, Mode mode, const PassContext& context);
  // The same from the network's input, for tests that need no images.
  void forward(const Tensor& input, std::span<const std::int32_t> labels, Mode mode,
               const PassContext& context, std::int64_t first_position = 0);

  const Tensor& activation(int layer_index) const { return activations_[layer_index]; }
  std::vector<double> probabilities() const;  // rows × classes
  BatchMetrics metrics() const;

  // Gradients of Σ loss × gradient_scale of the last forward, stored or added.
  void backward(double gradient_scale, bool add);

 private:
  DropoutBits dropout_bits(std::size_t layer_index) const;
  const double* tensor(std::size_t layer_index, ParameterKind kind) const;
  ConstParameters layer_parameters(std::size_t layer_index);
  void round_values(std::vector<double>& values) const;
  void forward_layer(std::size_t layer_index, const Tensor& in, Tensor& out);
  void backward_layer(std::size_t layer_index, const Tensor& in, const Tensor& out_gradient,
                      Tensor& in_gradient);

  NetSpec spec_;
  InputSpec input_spec_;
  ParameterTable table_;
  std::vector<Shape> shapes_;
  std::vector<double> parameters_, gradients_;
  std::vector<double> rounded_weight_;  // of the layer at work, where storage is rounded
  int storage_bits_ = 0;
  Tensor input_;
  std::vector<Tensor> activations_;
  std::vector<std::int32_t> labels_;
  Mode mode_ = Mode::evaluation;
  PassContext context_;
  std::int64_t first_position_ = 0;
};

}  // namespace convoy::test
