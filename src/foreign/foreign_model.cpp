#include "foreign/foreign_model.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.hpp"
#include "foreign/choose_network.hpp"
#include "foreign/convoy_metadata.hpp"
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
  ConvoyMetadata own;               // of a file that Convoy exported
};

Content read_content(const fs::path& path) {
  Content content;
  content.format = foreign_format(path).value_or(ForeignFormat::pytorch);
  if (content.format == ForeignFormat::caffemodel) {
    content.caffe = read_caffemodel(path);
    content.tensors = std::move(content.caffe->tensors);
    return content;
  }
  if (content.format == ForeignFormat::safetensors) {
    SafetensorsContent file = read_safetensors(path);
    content.tensors = std::move(file.tensors);
    content.own = parse_metadata(file.metadata);
    // Writers sort by name, "10" before "2".
    std::ranges::stable_sort(content.tensors, natural_less, &NamedTensor::name);
    return content;
  }
  content.tensors = read_foreign(path);
  return content;
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
  for (const NetworkMatch::Pair& pair : model.match.pairs) {
    NamedTensor& tensor = tensors[pair.tensor];
    const auto parameter = std::ranges::find(table.parameters(), pair.parameter, &Parameter::path);
    ensure(parameter != table.parameters().end() && tensor.values.size() == parameter->elements,
           "a matched tensor has the parameter's size");
    if (!std::ranges::all_of(tensor.values, [](float value) { return std::isfinite(value); }))
      fail(ExitCode::bad_data, "{}: {} has values that are not finite", path.string(), readable(tensor.name));
    const std::span<float> target =
        std::span(model.parameters).subspan(parameter->offset, parameter->elements);
    std::ranges::copy(tensor.values, target.begin());
    if (model.format == ForeignFormat::caffemodel && pair.parameter == "conv1/weight")
      reverse_channels(*parameter, target);
    std::vector<float>().swap(tensor.values);  // memory holds each tensor once
  }
}

// Whether Convoy exported the file from the network that it is taken for.
bool is_own(const Content& content, const NetworkMatch& match) {
  return content.own.model == match.network;
}

NetSpec network_of(const Content& content, const NetworkMatch& match, const InputChanges& changes) {
  int side = changes.crop_side;
  if (side == 0 && content.own.input && is_own(content, match)) side = content.own.input->spec.crop_side;
  if (side == 0 && content.caffe && make_network(match.network).any_input_size)
    side = content.caffe->input.crop_side;
  return make_network(match.network, {.classes = match.classes, .dropout = {}, .input_side = side});
}

void note_mean_file(const CaffeInput& input, const InputChanges& changes, ForeignModel& model) {
  if (input.mean_file.empty() || !changes.mean_file.empty() || changes.mean) return;
  model.notes.push_back(
      fmt::format("it was trained with the mean image {}; give that file as --mean to subtract it too "
                  "(without it: ImageNet's mean of each channel)",
                  readable(input.mean_file)));
}

void note_crop(const CaffeInput& input, ForeignModel& model) {
  const int side = model.network.input.height;
  if (input.crop_side != 0 && input.crop_side != side)
    model.notes.push_back(fmt::format("it was trained on {} × {} pixels, {} takes {} × {}", input.crop_side,
                                      input.crop_side, model.network.name, side, side));
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
    note_crop(content.caffe->input, model);
    note_structure(*content.caffe, model);
  } else if (content.own.input && is_own(content, model.match)) {
    model.input = *content.own.input;
    model.input.spec.crop_side = model.network.input.height;
  } else {
    model.input = torchvision_input(model.network);
  }
  change_input(model.input, changes);
}

std::vector<ClassEntry> classes_of(const Content& content, int count) {
  if (static_cast<int>(content.own.classes.size()) == count) return content.own.classes;
  if (count == imagenet_size) return imagenet_classes();
  std::vector<ClassEntry> classes;
  classes.reserve(static_cast<std::size_t>(count));
  for (int index = 0; index < count; ++index)
    classes.push_back({fmt::format("class-{}", index), fmt::format("class {}", index)});
  return classes;
}

}  // namespace

ForeignModel read_foreign_model(const fs::path& path, const ForeignOptions& options) {
  Content content = read_content(path);
  ForeignModel model;
  model.format = content.format;
  auto [match, alike] = choose_network(path.string(), content.tensors,
                                       {.network = options.network,
                                        .preferred = options.preferred,
                                        .caffe = content.caffe ? &*content.caffe : nullptr,
                                        .exported = content.own.model});
  model.match = std::move(match);
  model.alike = std::move(alike);
  check_left_over(path, content, options, model);
  model.network = network_of(content, model.match, options.input);
  set_input(content, options.input, model);
  take_values(path, content.tensors, model);
  model.tensors = std::move(content.tensors);
  for (NamedTensor& tensor : model.tensors) std::vector<float>().swap(tensor.values);
  model.classes = classes_of(content, model.match.classes);
  return model;
}

}  // namespace convoy
