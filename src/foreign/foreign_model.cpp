#include "foreign/foreign_model.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.hpp"
#include "base/lower_case.hpp"
#include "base/text_list.hpp"
#include "foreign/foreign_error.hpp"
#include "foreign/imagenet_classes.hpp"
#include "model/networks.hpp"
#include "model/parameter_table.hpp"
#include "sources/natural_order.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;

constexpr int imagenet_size = 1000;

// What a file says apart from its tensors.
struct Content {
  ForeignFormat format = ForeignFormat::pytorch;
  std::vector<NamedTensor> tensors;
  std::optional<CaffeModel> caffe;  // without its tensors
};

Content read_content(const fs::path& path) {
  Content content;
  content.format = foreign_format(path).value_or(ForeignFormat::pytorch);
  if (content.format == ForeignFormat::caffemodel) {
    content.caffe = read_caffemodel(path);
    content.tensors = std::move(content.caffe->tensors);
    return content;
  }
  content.tensors = read_foreign(path);
  // Their writers sort by name, "10" before "2".
  if (content.format == ForeignFormat::safetensors)
    std::ranges::stable_sort(content.tensors, natural_less, &NamedTensor::name);
  return content;
}

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

std::vector<NetworkMatch>::iterator named(std::vector<NetworkMatch>& matches, const std::string& network) {
  return std::ranges::find(matches, network, &NetworkMatch::network);
}

// Whether the file describes this network's layers.
bool is_described(const CaffeModel& model, const std::string& network) {
  return structure_of(model) == structure_of(make_network(network));
}

// The network that a file of Caffe describes or, if it holds no more than the layers with weights, is named
// after.
std::vector<NetworkMatch>::iterator of_caffe(const CaffeModel& model, std::vector<NetworkMatch>& matches) {
  const auto described = std::ranges::find_if(
      matches, [&](const NetworkMatch& match) { return is_described(model, match.network); });
  if (described != matches.end()) return described;
  const std::string name = lower_case(model.name);
  if (name.find("caffenet") != name.npos) return named(matches, "caffenet");
  return name.find("alexnet") != name.npos ? named(matches, "caffe-alexnet") : matches.end();
}

std::vector<std::string> names_of(const std::vector<NetworkMatch>& matches) {
  std::vector<std::string> names;
  for (const NetworkMatch& match : matches) names.push_back(match.network);
  return names;
}

[[noreturn]] void refuse_network(const fs::path& path, const Content& content, const std::string& network) {
  make_network(network);  // an unknown name is the fault then
  fail(ExitCode::usage, "--model {}: {} does not fit: {}", network, path.string(),
       mismatch_text(content.tensors, network));
}

NetworkMatch choose(const fs::path& path, const Content& content, const ForeignOptions& options,
                    std::vector<NetworkMatch> matches) {
  if (!options.network.empty()) {
    const auto found = named(matches, options.network);
    if (found == matches.end()) refuse_network(path, content, options.network);
    return std::move(*found);
  }
  if (matches.empty())
    fail(ExitCode::bad_data, "{}: its tensors fit none of the networks ({}); the nearest: {}", path.string(),
         text_list(network_names()), mismatch_text(content.tensors, {}));
  if (!options.preferred.empty()) {
    const auto found = named(matches, options.preferred);
    return std::move(found == matches.end() ? matches.front() : *found);
  }
  if (content.caffe) {
    const auto found = of_caffe(*content.caffe, matches);
    if (found != matches.end()) return std::move(*found);
  }
  if (matches.size() > 1)
    fail(ExitCode::usage,
         "{}: its tensors fit {} equally well, networks whose weights have the same shapes; say which one it "
         "is: convoy import {} --model {} --output CHECKPOINT",
         path.string(), text_list(names_of(matches)), path.string(), matches.front().network);
  return std::move(matches.front());
}

void check_left_over(const fs::path& path, const Content& content, const ForeignOptions& options,
                     ForeignModel& model) {
  if (model.match.left_over.empty()) return;
  const std::string tensors = tensors_text(content.tensors, model.match.left_over);
  if (!options.ignore_extra)
    fail(ExitCode::usage,
         "{}: {} does not have these tensors: {}; convoy import --ignore-extra leaves them out, if the "
         "network computes the same without them",
         path.string(), model.match.network, tensors);
  model.notes.push_back(
      fmt::format("left out, since {} does not have them: {}", model.match.network, tensors));
}

// Caffe's first convolution sees blue, green, red.
void reverse_channels(const Parameter& parameter, std::span<float> weight) {
  const std::size_t plane = static_cast<std::size_t>(parameter.shape[2]) * parameter.shape[3];
  for (std::size_t begin = 0; begin < weight.size(); begin += 3 * plane) {
    const std::span<float> filter = weight.subspan(begin, 3 * plane);
    std::swap_ranges(filter.begin(), filter.begin() + static_cast<std::ptrdiff_t>(plane),
                     filter.end() - static_cast<std::ptrdiff_t>(plane));
  }
}

void take_values(const fs::path& path, std::vector<NamedTensor>& tensors, ForeignModel& model) {
  const ParameterTable table(model.network);
  model.parameters.resize(table.size());
  for (const auto& [index, parameter_name] : model.match.pairs) {
    NamedTensor& tensor = tensors[index];
    const auto parameter = std::ranges::find_if(
        table.parameters(), [&](const Parameter& candidate) { return candidate.path() == parameter_name; });
    ensure(parameter != table.parameters().end() && tensor.values.size() == parameter->elements,
           "a matched tensor has the parameter's size");
    if (!std::ranges::all_of(tensor.values, [](float value) { return std::isfinite(value); }))
      fail(ExitCode::bad_data, "{}: {} has values that are not finite", path.string(), tensor.name);
    const std::span<float> target =
        std::span(model.parameters).subspan(parameter->offset, parameter->elements);
    std::ranges::copy(tensor.values, target.begin());
    if (model.format == ForeignFormat::caffemodel && parameter_name == "conv1/weight")
      reverse_channels(*parameter, target);
    std::vector<float>().swap(tensor.values);  // memory holds each tensor once
  }
}

NetSpec network_of(const NetworkMatch& match, const InputChanges& changes) {
  return make_network(match.network,
                      {.classes = match.classes, .dropout = {}, .input_side = changes.crop_side});
}

void note_mean_file(const CaffeInput& input, const InputChanges& changes, ForeignModel& model) {
  if (input.mean_file.empty() || !changes.mean_file.empty() || changes.mean) return;
  model.notes.push_back(
      fmt::format("it was trained with the mean image {}; give that file as --mean to subtract it too "
                  "(without it: ImageNet's mean of each channel)",
                  readable(input.mean_file)));
}

// The weights decide the network; what else the file says of its layers may contradict it.
void note_structure(const CaffeModel& caffe, ForeignModel& model) {
  const bool describes = std::ranges::any_of(
      caffe.layers, [](const CaffeLayer& layer) { return layer.kind == CaffeLayerKind::pooling; });
  if (describes && !is_described(caffe, model.match.network))
    model.notes.push_back(fmt::format(
        "{}'s pooling and normalisation are not those that the file describes: its predictions will "
        "differ from Caffe's",
        model.match.network));
}

// A caution about the order of channels: Caffe's own lists of means begin with blue.
void note_mean_order(const InputChanges& changes, ForeignModel& model) {
  if (changes.mean && (*changes.mean)[0] < (*changes.mean)[2])
    model.notes.push_back(
        "--mean is in the order red, green, blue; Caffe's lists (104, 117, 123) begin with blue: are these "
        "numbers in the right order?");
}

void set_input(const Content& content, const InputChanges& changes, ForeignModel& model) {
  if (content.caffe) {
    model.input = caffe_input(model.network, content.caffe->input);
    note_mean_file(content.caffe->input, changes, model);
    note_mean_order(changes, model);
    note_structure(*content.caffe, model);
  } else {
    model.input = torchvision_input(model.network);
  }
  change_input(model.input, changes);
}

std::vector<ClassEntry> usual_classes(int count) {
  if (count == imagenet_size) return imagenet_classes();
  std::vector<ClassEntry> classes;
  for (int index = 0; index < count; ++index)
    classes.push_back({fmt::format("class-{}", index), fmt::format("class {}", index)});
  return classes;
}

}  // namespace

ForeignModel read_foreign_model(const fs::path& path, const ForeignOptions& options) {
  Content content = read_content(path);
  std::vector<NetworkMatch> matches = match_networks(content.tensors);
  ForeignModel model;
  model.format = content.format;
  const std::vector<std::string> fitting = names_of(matches);
  model.match = choose(path, content, options, std::move(matches));
  std::ranges::copy_if(fitting, std::back_inserter(model.alike),
                       [&](const std::string& name) { return name != model.match.network; });
  check_left_over(path, content, options, model);
  model.network = network_of(model.match, options.input);
  set_input(content, options.input, model);
  take_values(path, content.tensors, model);
  model.tensors = std::move(content.tensors);
  for (NamedTensor& tensor : model.tensors) std::vector<float>().swap(tensor.values);
  model.classes = usual_classes(model.match.classes);
  return model;
}

}  // namespace convoy
