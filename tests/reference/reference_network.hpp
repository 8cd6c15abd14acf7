// A whole network in double precision: forward, loss, counts, gradients. The oracle of engine tests and of
// tests of data-parallel training.
#pragma once

#include <span>
#include <vector>

#include "data/batch.hpp"
#include "engine/program.hpp"
#include "model/parameter_table.hpp"
#include "reference/reference_layers.hpp"

namespace convoy::test {

class ReferenceNetwork {
 public:
  ReferenceNetwork(NetSpec spec, InputSpec input);

  // Rounds weights, activations and their gradients (all but the scores and the parameters' gradients) to
  // `bits` of mantissa between layers, as engines of lower precision store them: 8 for bf16, 11 for fp16.
  // 0, the default: double throughout. Without this, maxima and ReLUs that lie within a rounding of
  // each other switch, and gradients of deep networks differ by a fifth. `biases`: those too, but for that of
  // the scores, as libraries of GPUs take them.
  void round_storage(int bits, bool biases = false) {
    storage_bits_ = bits;
    round_biases_ = biases;
  }

  // Says that gradients of maps between a normalisation and the pool behind it are not stored, so not
  // rounded, where their channels are a multiple of `channels`: as engines do that compute both in one pass
  // (which rounds the maps themselves, for the same maxima as in two passes).
  void fuse_normalisation_and_pool(int channels) { fused_channels_ = channels; }

  // Rounds only what enters a product (weights, inputs and output gradients of convolutions and fully
  // connected layers) to `bits` of mantissa: 11 for tf32, which stores float32.
  void round_products(int bits) { product_bits_ = bits; }

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

  // Puts an engine's own activation behind layer `layer_index` in place of what the last forward computed:
  // backward then follows the engine's decisions, which ReLU is on and which maximum won, where both sides
  // lie within a rounding of each other and either decision is right.
  void adopt_activation(int layer_index, std::span<const float> values);

  // Gradients of Σ loss × gradient_scale of the last forward, stored or added.
  void backward(double gradient_scale, bool add);

 private:
  DropoutBits dropout_bits(std::size_t layer_index) const;
  const double* tensor(std::size_t layer_index, ParameterKind kind) const;
  ConstParameters layer_parameters(std::size_t layer_index);
  void round_storage(std::vector<double>& values) const;
  // Whether the map behind the layer is stored between two passes over memory.
  bool gradient_is_stored(std::size_t layer_index) const;
  // What the layer's product takes: `values` themselves, or a rounded copy that is kept in `rounded`.
  const Tensor& product_operand(const Tensor& values, Tensor& rounded) const;
  void forward_layer(std::size_t layer_index, const Tensor& in, Tensor& out);
  void backward_layer(std::size_t layer_index, const Tensor& in, const Tensor& out_gradient,
                      Tensor& in_gradient);

  NetSpec spec_;
  InputSpec input_spec_;
  ParameterTable table_;
  std::vector<Shape> shapes_;
  std::vector<double> parameters_, gradients_;
  std::vector<double> rounded_weight_, rounded_bias_;  // of the layer at work, where they are rounded
  int storage_bits_ = 0, product_bits_ = 0;
  bool round_biases_ = false;
  int fused_channels_ = 0;
  Tensor input_;
  std::vector<Tensor> activations_;
  std::vector<std::int32_t> labels_;
  Mode mode_ = Mode::evaluation;
  PassContext context_;
  std::int64_t first_position_ = 0;
};

}  // namespace convoy::test
