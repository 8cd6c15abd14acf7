#include "foreign/match.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <optional>

#include "base/text_list.hpp"
#include "foreign/foreign_error.hpp"
#include "foreign/shape_text.hpp"
#include "model/networks.hpp"
#include "model/parameter_table.hpp"

namespace convoy {
namespace {

constexpr std::size_t none = static_cast<std::size_t>(-1);

// The tensors of a layer of the file.
struct FileLayer {
  std::size_t weight = none, bias = none;
};

// Splits "features.0.weight" into its layer and its kind; nothing for other names.
std::optional<std::pair<std::string, ParameterKind>> split_name(std::string_view name) {
  for (const auto& [word, kind] :
       {std::pair{std::string_view("weight"), ParameterKind::weight}, {"bias", ParameterKind::bias}}) {
    if (!name.ends_with(word) || name.size() <= word.size()) continue;
    const char separator = name[name.size() - word.size() - 1];
    if (separator == '.' || separator == '/' || separator == '_')
      return std::pair{std::string(name.substr(0, name.size() - word.size() - 1)), kind};
  }
  return std::nullopt;
}

// In the order in which the file first names them.
std::vector<FileLayer> layers_of(std::span<const NamedTensor> tensors) {
  std::vector<FileLayer> layers;
  std::map<std::string, std::size_t> known;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto name = split_name(tensors[i].name);
    if (!name) continue;
    const auto [entry, added] = known.emplace(name->first, layers.size());
    if (added) layers.emplace_back();
    FileLayer& layer = layers[entry->second];
    (name->second == ParameterKind::weight ? layer.weight : layer.bias) = i;
  }
  return layers;
}

// The layer's weight as out × in.
std::pair<std::int64_t, std::int64_t> as_matrix(const NamedTensor& weight) {
  if (weight.shape.empty()) return {};
  return {weight.shape[0], std::accumulate(weight.shape.begin() + 1, weight.shape.end(), std::int64_t{1},
                                           std::multiplies<>())};
}

bool has_shape(const NamedTensor& tensor, const std::vector<int>& shape) {
  return std::ranges::equal(tensor.shape, shape);
}

// Whether a tensor can be this weight. `any_rows`: of the last layer, whose outputs are the file's classes.
bool fits_weight(const NamedTensor& tensor, const Parameter& parameter, bool any_rows) {
  if (parameter.shape.size() == 4) return has_shape(tensor, parameter.shape);
  if (tensor.shape.size() != 2 && tensor.shape.size() != 4) return false;
  const auto [rows, columns] = as_matrix(tensor);
  return columns == parameter.shape[1] && rows > 0 && (any_rows || rows == parameter.shape[0]);
}

struct Attempt {
  NetworkMatch match;
  const Parameter* missing = nullptr;  // the first that no tensor fits; null: all are there
  std::vector<bool> used;              // by tensor
};

// Weights of the network in its order: conv1's first.
std::vector<const Parameter*> weights_of(const ParameterTable& table) {
  std::vector<const Parameter*> weights;
  for (const Parameter& parameter : table.parameters())
    if (parameter.kind == ParameterKind::weight) weights.push_back(&parameter);
  std::ranges::sort(weights, {}, &Parameter::ordinal);
  return weights;
}

// Takes for each parameter the first unused tensor that fits.
Attempt attempt(std::span<const NamedTensor> tensors, const std::vector<FileLayer>& layers,
                const ParameterTable& table, const std::string& network) {
  Attempt result;
  result.match.network = network;
  result.used.resize(tensors.size());
  const auto take = [&](const Parameter& parameter, std::size_t tensor) {
    result.match.pairs.push_back({tensor, parameter.path()});
    result.used[tensor] = true;
  };
  const std::vector<const Parameter*> weights = weights_of(table);
  for (const Parameter* weight : weights) {
    const bool last = weight == weights.back();
    const auto found = std::ranges::find_if(layers, [&](const FileLayer& layer) {
      return layer.weight != none && !result.used[layer.weight] &&
             fits_weight(tensors[layer.weight], *weight, last);
    });
    if (found == layers.end()) {
      result.missing = weight;
      return result;
    }
    take(*weight, found->weight);
    const std::int64_t outputs = tensors[found->weight].shape[0];
    if (last) result.match.classes = static_cast<int>(outputs);
    const Parameter& bias = table.find(weight->layer, ParameterKind::bias);
    if (found->bias == none || !std::ranges::equal(tensors[found->bias].shape, std::array{outputs})) {
      result.missing = &bias;
      return result;
    }
    take(bias, found->bias);
  }
  for (std::size_t i = 0; i < tensors.size(); ++i)
    if (!result.used[i]) result.match.left_over.push_back(i);
  return result;
}

// The first tensor that is left over where `parameter` was looked for.
std::string instead_text(std::span<const NamedTensor> tensors, const std::vector<FileLayer>& layers,
                         const Attempt& attempt, const Parameter& parameter) {
  for (const FileLayer& layer : layers) {
    const std::size_t tensor = parameter.kind == ParameterKind::weight ? layer.weight : layer.bias;
    if (tensor == none || attempt.used[tensor] || tensors[tensor].shape.size() != parameter.shape.size())
      continue;
    return fmt::format("; {} is {}", readable(tensors[tensor].name), shape_text(tensors[tensor].shape));
  }
  return fmt::format("; no {} of as many dimensions is left",
                     parameter.kind == ParameterKind::weight ? "weight" : "bias");
}

}  // namespace

std::vector<NetworkMatch> match_networks(std::span<const NamedTensor> tensors) {
  const std::vector<FileLayer> layers = layers_of(tensors);
  std::vector<NetworkMatch> matches;
  for (const std::string& network : network_names()) {
    const ParameterTable table(make_network(network));
    Attempt found = attempt(tensors, layers, table, network);
    if (found.missing == nullptr) matches.push_back(std::move(found.match));
  }
  return matches;
}

std::string mismatch_text(std::span<const NamedTensor> tensors, std::string_view network) {
  const std::vector<FileLayer> layers = layers_of(tensors);
  std::string text;
  std::size_t most = 0;
  for (const std::string& name : network_names()) {
    if (!network.empty() && name != network) continue;
    const ParameterTable table(make_network(name));
    const Attempt found = attempt(tensors, layers, table, name);
    if (found.missing == nullptr || (!text.empty() && found.match.pairs.size() <= most)) continue;
    most = found.match.pairs.size();
    text = fmt::format("{} needs {} of {}{}", name, found.missing->path(), shape_text(found.missing->shape),
                       instead_text(tensors, layers, found, *found.missing));
  }
  return text;
}

std::string tensors_text(std::span<const NamedTensor> tensors, std::span<const std::size_t> indices) {
  constexpr std::size_t shown = 8;
  std::vector<std::string> texts;
  for (const std::size_t index : indices.first(std::min(shown, indices.size())))
    texts.push_back(fmt::format("{} ({})", readable(tensors[index].name), shape_text(tensors[index].shape)));
  if (indices.size() > shown) texts.push_back(fmt::format("and {} more", indices.size() - shown));
  return text_list(texts);
}

}  // namespace convoy
