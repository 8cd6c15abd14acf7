#include "model/activation_names.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text_list.hpp"

namespace convoy {
namespace {

// "conv2" → "2".
std::string number_of(const std::string& layer) {
  const auto first = layer.find_first_of("0123456789");
  return first == std::string::npos ? "" : layer.substr(first);
}

struct Namer {
  std::string last_number = {};

  std::string operator()(const Convolution& layer) {
    last_number = number_of(layer.name);
    return layer.name;
  }
  std::string operator()(const FullyConnected& layer) const { return layer.name; }
  std::string operator()(const LocalResponseNormalisation&) const { return "norm" + last_number; }
  std::string operator()(const MaxPool&) const { return "pool" + last_number; }
  std::string operator()(const AdaptiveAveragePool&) const { return "avgpool"; }
  std::string operator()(const Relu&) const { return {}; }
  std::string operator()(const Dropout&) const { return {}; }
};

bool is_relu(const NetSpec& spec, std::size_t layer) {
  return layer < spec.layers.size() && std::holds_alternative<Relu>(spec.layers[layer]);
}

}  // namespace

std::vector<NamedActivation> named_activations(const NetSpec& spec) {
  const std::vector<Shape> shapes = infer_shapes(spec);
  std::vector<NamedActivation> result;
  Namer namer;
  for (std::size_t layer = 0; layer < spec.layers.size(); ++layer) {
    std::string name = std::visit(namer, spec.layers[layer]);
    if (name.empty()) continue;
    const std::size_t last = is_relu(spec, layer + 1) ? layer + 1 : layer;
    result.push_back({.name = std::move(name), .layer_index = static_cast<int>(last), .shape = shapes[last]});
  }
  return result;
}

NamedActivation find_activation(const NetSpec& spec, std::string_view name) {
  const std::vector<NamedActivation> all = named_activations(spec);
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.name == name; });
  if (found != all.end()) return *found;
  std::vector<std::string> names;
  names.reserve(all.size());
  for (const NamedActivation& each : all) names.push_back(each.name);
  fail(ExitCode::usage, "{} has no layer '{}'; its layers are: {}", spec.name, name, text_list(names));
}

}  // namespace convoy
