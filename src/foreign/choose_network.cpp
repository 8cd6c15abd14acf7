#include "foreign/choose_network.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/lower_case.hpp"
#include "base/text_list.hpp"
#include "model/networks.hpp"

namespace convoy {
namespace {

using Matches = std::vector<NetworkMatch>;

// The order of a network's layers, as far as networks of equal shapes differ in it: "CN(1)P…".
std::string structure_of(const NetSpec& network) {
  std::string structure;
  for (const Layer& layer : network.layers) {
    if (std::holds_alternative<Convolution>(layer)) structure += 'C';
    if (std::holds_alternative<MaxPool>(layer)) structure += 'P';
    if (std::holds_alternative<FullyConnected>(layer)) structure += 'F';
    if (const auto* normalisation = std::get_if<LocalResponseNormalisation>(&layer))
      structure += fmt::format("N({})", normalisation->k);
  }
  return structure;
}

std::string structure_of(const CaffeModel& model) {
  std::string structure;
  for (const CaffeLayer& layer : model.layers) {
    if (layer.kind == CaffeLayerKind::convolution) structure += 'C';
    if (layer.kind == CaffeLayerKind::pooling) structure += 'P';
    if (layer.kind == CaffeLayerKind::inner_product) structure += 'F';
    if (layer.kind == CaffeLayerKind::normalisation) structure += fmt::format("N({})", layer.k);
  }
  return structure;
}

Matches::const_iterator named(const Matches& matches, std::string_view network) {
  return std::ranges::find(matches, network, &NetworkMatch::network);
}

// The network that a file of Caffe describes or, if it holds no more than the layers with weights, is named
// after.
Matches::const_iterator of_caffe(const Matches& matches, const CaffeModel& model) {
  const auto described = std::ranges::find_if(
      matches, [&](const NetworkMatch& match) { return is_described(model, match.network); });
  if (described != matches.end()) return described;
  const std::string name = lower_case(model.name);
  if (name.find("caffenet") != name.npos) return named(matches, "caffenet");
  return name.find("alexnet") != name.npos ? named(matches, "caffe-alexnet") : matches.end();
}

std::vector<std::string> names_of(const Matches& matches) {
  std::vector<std::string> names;
  for (const NetworkMatch& match : matches) names.push_back(match.network);
  return names;
}

[[noreturn]] void refuse_network(const std::string& file, std::span<const NamedTensor> tensors,
                                 const std::string& network) {
  make_network(network);  // an unknown name is the fault then
  fail(ExitCode::usage, "--model {}: {} does not fit: {}", network, file, mismatch_text(tensors, network));
}

[[noreturn]] void refuse_choice(const std::string& file, const Matches& matches) {
  fail(ExitCode::usage,
       "{}: its tensors fit {} equally well, since their weights have the same shapes; say which one it is: "
       "convoy import {} --model {} --output CHECKPOINT",
       file, text_list(names_of(matches)), file, matches.front().network);
}

Matches::const_iterator choose(const std::string& file, std::span<const NamedTensor> tensors,
                               const NetworkHints& hints, const Matches& matches) {
  if (!hints.network.empty()) {
    const auto found = named(matches, hints.network);
    if (found == matches.end()) refuse_network(file, tensors, hints.network);
    return found;
  }
  if (matches.empty())
    fail(ExitCode::bad_data, "{}: its tensors fit none of the networks ({}); the nearest: {}", file,
         text_list(network_names()), mismatch_text(tensors, {}));
  if (!hints.preferred.empty()) {
    const auto found = named(matches, hints.preferred);
    return found == matches.end() ? matches.begin() : found;
  }
  auto found = hints.caffe != nullptr ? of_caffe(matches, *hints.caffe) : named(matches, hints.exported);
  if (found == matches.end() && matches.size() > 1) refuse_choice(file, matches);
  return found == matches.end() ? matches.begin() : found;
}

}  // namespace

ChosenNetwork choose_network(const std::string& file, std::span<const NamedTensor> tensors,
                             const NetworkHints& hints) {
  const Matches matches = match_networks(tensors);
  ChosenNetwork chosen{.match = *choose(file, tensors, hints, matches), .alike = names_of(matches)};
  std::erase(chosen.alike, chosen.match.network);
  return chosen;
}

bool is_described(const CaffeModel& model, const std::string& network) {
  return structure_of(model) == structure_of(make_network(network));
}

}  // namespace convoy
