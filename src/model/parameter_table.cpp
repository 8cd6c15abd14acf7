#include "model/parameter_table.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace convoy {
namespace {

// Weight and bias of one layer, without offsets.
struct LayerParameters {
  Parameter weight, bias;
};

LayerParameters layer_parameters(const std::string& name, std::vector<int> weight_shape, int fan_in,
                                 int fan_out, int layer_index, int first_ordinal) {
  LayerParameters result;
  result.bias.shape = {weight_shape[0]};
  result.weight.shape = std::move(weight_shape);
  result.weight.kind = ParameterKind::weight;
  result.bias.kind = ParameterKind::bias;
  result.weight.ordinal = first_ordinal;
  result.bias.ordinal = first_ordinal + 1;
  for (Parameter* parameter : {&result.weight, &result.bias}) {
    parameter->layer = name;
    parameter->fan_in = fan_in;
    parameter->fan_out = fan_out;
    parameter->layer_index = layer_index;
    parameter->elements = 1;
    for (const int extent : parameter->shape) parameter->elements *= static_cast<std::size_t>(extent);
  }
  return result;
}

}  // namespace

std::string Parameter::path() const {
  return layer + (kind == ParameterKind::weight ? "/weight" : "/bias");
}

ParameterTable::ParameterTable(const NetSpec& spec) {
  const std::vector<Shape> shapes = infer_shapes(spec);
  std::vector<LayerParameters> layers;
  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    const Shape in = i == 0 ? spec.input : shapes[i - 1];
    const int index = static_cast<int>(i);
    const int ordinal = 2 * static_cast<int>(layers.size());
    if (const auto* c = std::get_if<Convolution>(&spec.layers[i])) {
      const int area = c->kernel * c->kernel;
      const int group_inputs = in.channels / c->groups;
      layers.push_back(layer_parameters(c->name, {c->filters, group_inputs, c->kernel, c->kernel},
                                        group_inputs * area, c->filters / c->groups * area, index, ordinal));
    } else if (const auto* f = std::get_if<FullyConnected>(&spec.layers[i])) {
      const int inputs = static_cast<int>(in.elements());
      layers.push_back(layer_parameters(f->name, {f->outputs, inputs}, inputs, f->outputs, index, ordinal));
    }
  }

  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) {
    for (Parameter* parameter : {&layer->weight, &layer->bias}) {
      const bool known = std::any_of(parameters_.begin(), parameters_.end(), [&](const Parameter& other) {
        return other.layer == parameter->layer && other.kind == parameter->kind;
      });
      if (known) fail(ExitCode::usage, "{} has two layers named {}", spec.name, parameter->layer);
      parameter->offset = size_;
      count_ += parameter->elements;
      size_ += aligned_elements(parameter->elements);
      parameters_.push_back(std::move(*parameter));
    }
  }
}

const Parameter& ParameterTable::find(std::string_view layer, ParameterKind kind) const {
  for (const Parameter& parameter : parameters_) {
    if (parameter.layer == layer && parameter.kind == kind) return parameter;
  }
  fail(ExitCode::bug, "no parameter {}/{} in this network", layer,
       kind == ParameterKind::weight ? "weight" : "bias");
}

}  // namespace convoy
