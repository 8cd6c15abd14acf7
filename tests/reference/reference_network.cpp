#include "reference/reference_network.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "reference/reference_input.hpp"

namespace convoy::test {

ReferenceNetwork::ReferenceNetwork(NetSpec spec, InputSpec input)
    : spec_(std::move(spec)),
      input_spec_(std::move(input)),
      table_(spec_),
      shapes_(infer_shapes(spec_)),
      parameters_(table_.size()),
      gradients_(table_.size()) {}

// Dropout layers count 0, 1, … in network order.
DropoutBits ReferenceNetwork::dropout_bits(std::size_t layer_index) const {
  DropoutBits bits;
  bits.seed = context_.seed;
  bits.step = static_cast<std::uint64_t>(context_.step);
  for (std::size_t i = 0; i < layer_index; ++i) {
    if (std::holds_alternative<Dropout>(spec_.layers[i])) ++bits.layer;
  }
  bits.threshold = dropout_threshold(std::get<Dropout>(spec_.layers[layer_index]).p);
  return bits;
}

namespace {

void round_values(std::vector<double>& values, int bits) {
  if (bits == 0) return;
  for (double& value : values) {
    int exponent = 0;
    const double mantissa = std::frexp(value, &exponent);
    value = std::ldexp(std::nearbyint(std::ldexp(mantissa, bits)), exponent - bits);
  }
}

}  // namespace

void ReferenceNetwork::round_storage(std::vector<double>& values) const {
  round_values(values, storage_bits_);
}

bool ReferenceNetwork::gradient_is_stored(std::size_t layer_index) const {
  if (fused_channels_ == 0 || layer_index + 1 >= spec_.layers.size()) return true;
  return !(std::holds_alternative<LocalResponseNormalisation>(spec_.layers[layer_index]) &&
           std::holds_alternative<MaxPool>(spec_.layers[layer_index + 1]) &&
           shapes_[layer_index].channels % fused_channels_ == 0);
}

const Tensor& ReferenceNetwork::product_operand(const Tensor& values, Tensor& rounded) const {
  if (product_bits_ == 0) return values;
  rounded = values;
  round_values(rounded.values, product_bits_);
  return rounded;
}

const double* ReferenceNetwork::tensor(std::size_t layer_index, ParameterKind kind) const {
  for (const Parameter& parameter : table_.parameters()) {
    if (parameter.layer_index == static_cast<int>(layer_index) && parameter.kind == kind) {
      return parameters_.data() + parameter.offset;
    }
  }
  fail(ExitCode::bug, "layer {} has no parameters", layer_index);
}

ConstParameters ReferenceNetwork::layer_parameters(std::size_t layer_index) {
  const double* weight = tensor(layer_index, ParameterKind::weight);
  const double* bias = tensor(layer_index, ParameterKind::bias);
  if (storage_bits_ == 0 && product_bits_ == 0) return {weight, bias};
  for (const Parameter& parameter : table_.parameters()) {
    const double* values = parameters_.data() + parameter.offset;
    if (values == weight) rounded_weight_.assign(weight, weight + parameter.elements);
    if (values == bias) rounded_bias_.assign(bias, bias + parameter.elements);
  }
  round_values(rounded_weight_, storage_bits_ != 0 ? storage_bits_ : product_bits_);
  const bool scores = layer_index + 1 == spec_.layers.size();
  if (round_biases_ && !scores) round_storage(rounded_bias_);
  return {rounded_weight_.data(), rounded_bias_.data()};
}

void ReferenceNetwork::forward_layer(std::size_t layer_index, const Tensor& in, Tensor& out) {
  const auto visit = [&](const auto& layer) {
    using Kind = std::decay_t<decltype(layer)>;
    if constexpr (std::is_same_v<Kind, Convolution> || std::is_same_v<Kind, FullyConnected>) {
      Tensor rounded;
      test::forward(layer, layer_parameters(layer_index), product_operand(in, rounded), out);
    } else if constexpr (std::is_same_v<Kind, Dropout>) {
      if (mode_ == Mode::training) {
        apply_dropout(layer, dropout_bits(layer_index), first_position_, in, out);
      } else {
        out.values = in.values;
      }
    } else {
      test::forward(layer, in, out);
    }
  };
  std::visit(visit, spec_.layers[layer_index]);
}

void ReferenceNetwork::forward(const BatchView& batch, Mode mode, const PassContext& context) {
  forward(reference_input(input_spec_, batch), batch.labels, mode, context, batch.first_position);
}

void ReferenceNetwork::forward(const Tensor& input, std::span<const std::int32_t> labels, Mode mode,
                               const PassContext& context, std::int64_t first_position) {
  input_ = input;
  round_storage(input_.values);
  labels_.assign(labels.begin(), labels.begin() + input.rows);
  mode_ = mode;
  context_ = context;
  first_position_ = first_position;
  activations_.clear();
  for (std::size_t i = 0; i < spec_.layers.size(); ++i) {
    Tensor out(input.rows, shapes_[i]);
    forward_layer(i, i == 0 ? input_ : activations_.back(), out);
    if (i + 1 < spec_.layers.size()) round_storage(out.values);
    activations_.push_back(std::move(out));
  }
}

void ReferenceNetwork::adopt_activation(int layer_index, std::span<const float> values) {
  Tensor& activation = activations_.at(static_cast<std::size_t>(layer_index));
  ensure(values.size() == activation.values.size(), "an adopted activation has the layer's shape");
  activation.values.assign(values.begin(), values.end());
}

std::vector<double> ReferenceNetwork::probabilities() const {
  const Tensor& scores = activations_.back();
  const long long classes = scores.shape.elements();
  std::vector<double> result = scores.values;
  for (int n = 0; n < scores.rows; ++n) {
    double* row = result.data() + n * classes;
    const double highest = *std::max_element(row, row + classes);
    double sum = 0;
    for (long long c = 0; c < classes; ++c) sum += row[c] = std::exp(row[c] - highest);
    for (long long c = 0; c < classes; ++c) row[c] /= sum;
  }
  return result;
}

BatchMetrics ReferenceNetwork::metrics() const {
  const Tensor& scores = activations_.back();
  const long long classes = scores.shape.elements();
  BatchMetrics result;
  result.samples = scores.rows;
  for (int n = 0; n < scores.rows; ++n) {
    const double* row = scores.sample(n);
    const int truth = labels_[static_cast<std::size_t>(n)];
    const double highest = *std::max_element(row, row + classes);
    double sum = 0;
    int rank = 0;
    for (int c = 0; c < classes; ++c) {
      sum += std::exp(row[c] - highest);
      if (row[c] > row[truth] || (row[c] == row[truth] && c < truth)) ++rank;
    }
    result.loss += std::log(sum) + highest - row[truth];
    result.top1 += rank < 1;
    result.top5 += rank < 5;
  }
  return result;
}

void ReferenceNetwork::backward_layer(std::size_t layer_index, const Tensor& in, const Tensor& out_gradient,
                                      Tensor& in_gradient) {
  const auto visit = [&](const auto& layer) {
    using Kind = std::decay_t<decltype(layer)>;
    if constexpr (std::is_same_v<Kind, Convolution> || std::is_same_v<Kind, FullyConnected>) {
      const ConstParameters parameters = layer_parameters(layer_index);
      const auto gradient = [&](ParameterKind kind) {
        return gradients_.data() + (tensor(layer_index, kind) - parameters_.data());
      };
      const MutableParameters gradients{gradient(ParameterKind::weight), gradient(ParameterKind::bias)};
      Tensor rounded_in, rounded_gradient;
      test::backward(layer, parameters, product_operand(in, rounded_in),
                     product_operand(out_gradient, rounded_gradient), in_gradient, gradients);
    } else if constexpr (std::is_same_v<Kind, Dropout>) {
      apply_dropout(layer, dropout_bits(layer_index), first_position_, out_gradient, in_gradient);
    } else {
      test::backward(layer, in, out_gradient, in_gradient);
    }
  };
  std::visit(visit, spec_.layers[layer_index]);
}

void ReferenceNetwork::backward(double gradient_scale, bool add) {
  ensure(mode_ == Mode::training, "gradients belong to a training pass");
  if (!add) std::fill(gradients_.begin(), gradients_.end(), 0.0);
  Tensor gradient = activations_.back();
  gradient.values = probabilities();
  const long long classes = gradient.shape.elements();
  for (int n = 0; n < gradient.rows; ++n) gradient.sample(n)[labels_[static_cast<std::size_t>(n)]] -= 1;
  for (long long i = 0; i < gradient.rows * classes; ++i) gradient.values[i] *= gradient_scale;
  round_storage(gradient.values);
  for (std::size_t i = spec_.layers.size(); i-- > 0;) {
    const Tensor& in = i == 0 ? input_ : activations_[i - 1];
    Tensor in_gradient(in.rows, in.shape);
    backward_layer(i, in, gradient, in_gradient);
    if (i == 0 || gradient_is_stored(i - 1)) round_storage(in_gradient.values);
    gradient = std::move(in_gradient);
  }
}

}  // namespace convoy::test
