#include "model/networks.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/text_list.hpp"

namespace convoy {
namespace {

// The common structure of the family, and the differences: five convolutions with max-pooling after the
// first, second and fifth, then three fully connected layers.
struct FamilyMember {
  std::array<Convolution, 5> convolutions;
  MaxPool pool;
  std::optional<LocalResponseNormalisation> normalisation;  // after conv1 and conv2
  bool pool_before_normalisation = false;                   // CaffeNet's order
  bool adaptive_pool = false;                               // to 6 × 6 before fc6
  int hidden = 4096;                                        // outputs of fc6 and fc7
  bool dropout_before = false;                              // before fc6 and fc7 instead of after their ReLU
  int classes = 1000;
};

void add_pool_and_normalisation(std::vector<Layer>& layers, const FamilyMember& member) {
  if (!member.normalisation) {
    layers.push_back(member.pool);
  } else if (member.pool_before_normalisation) {
    layers.insert(layers.end(), {member.pool, *member.normalisation});
  } else {
    layers.insert(layers.end(), {*member.normalisation, member.pool});
  }
}

std::vector<Layer> layers_of(const FamilyMember& member) {
  std::vector<Layer> layers;
  for (std::size_t i = 0; i < member.convolutions.size(); ++i) {
    Convolution convolution = member.convolutions[i];
    convolution.name = fmt::format("conv{}", i + 1);
    layers.insert(layers.end(), {convolution, Relu{}});
    if (i < 2) add_pool_and_normalisation(layers, member);
  }
  layers.push_back(member.pool);
  if (member.adaptive_pool) layers.push_back(AdaptiveAveragePool{6});
  for (const char* name : {"fc6", "fc7"}) {
    if (member.dropout_before) layers.push_back(Dropout{});
    layers.insert(layers.end(), {FullyConnected{name, member.hidden}, Relu{}});
    if (!member.dropout_before) layers.push_back(Dropout{});
  }
  layers.push_back(FullyConnected{"fc8", member.classes});
  return layers;
}

Convolution convolution(int filters, int kernel, int stride, Padding padding, int groups = 1) {
  return {"", filters, kernel, stride, padding, groups};
}

// The base of the ungrouped tutorial networks: the others change a few of its fields.
FamilyMember single_tower() {
  FamilyMember member;
  member.convolutions = {convolution(96, 11, 4, {0, 0}), convolution(256, 5, 1, {2, 2}),
                         convolution(384, 3, 1, {1, 1}), convolution(384, 3, 1, {1, 1}),
                         convolution(256, 3, 1, {1, 1})};
  return member;
}

FamilyMember two_towers(float normalisation_k) {
  FamilyMember member = single_tower();
  for (const std::size_t i : {1, 3, 4}) member.convolutions[i].groups = 2;
  member.normalisation = LocalResponseNormalisation{5, normalisation_k, 1e-4F, 0.75F};
  return member;
}

NetSpec imagenet(std::string description, int input_side, Initialiser initialiser,
                 const FamilyMember& member) {
  NetSpec spec;
  spec.description = std::move(description);
  spec.input = {3, input_side, input_side};
  spec.stored_side = 256;
  spec.initialiser = initialiser;
  spec.layers = layers_of(member);
  return spec;
}

NetSpec alexnet() {
  return imagenet("Krizhevsky, Sutskever, Hinton 2012: two towers as groups, LRN with k = 2", 227,
                  Initialiser::paper, two_towers(2));
}

NetSpec alexnet_ungrouped() {
  return imagenet("one tower, no LRN, 227 × 227", 227, Initialiser::torch, single_tower());
}

NetSpec alexnet_ungrouped_lrn() {
  FamilyMember member = single_tower();
  member.normalisation = LocalResponseNormalisation{5, 1, 1e-4F, 0.75F};
  return imagenet("one tower, LRN with k = 1, 227 × 227", 227, Initialiser::paper, member);
}

NetSpec alexnet_padded() {
  FamilyMember member = single_tower();
  member.convolutions[0].padding = {2, 2};
  member.dropout_before = true;
  return imagenet("one tower, no LRN, conv1 padded for 224 × 224, dropout before fc6 and fc7", 224,
                  Initialiser::torch, member);
}

NetSpec alexnet_owt() {
  FamilyMember member = single_tower();
  member.convolutions[0] = convolution(64, 11, 4, {2, 2});
  member.convolutions[1].filters = 192;
  member.convolutions[3].filters = 256;
  member.adaptive_pool = true;
  member.dropout_before = true;
  NetSpec spec = imagenet("One weird trick (Krizhevsky 2014), as in torchvision; any input size", 224,
                          Initialiser::torch, member);
  spec.any_input_size = true;
  return spec;
}

NetSpec caffe_alexnet() {
  return imagenet("Caffe's bvlc_alexnet: two towers, LRN with k = 1", 227, Initialiser::caffe, two_towers(1));
}

NetSpec caffenet() {
  FamilyMember member = two_towers(1);
  member.pool_before_normalisation = true;
  return imagenet("Caffe's bvlc_reference_caffenet: pooling before LRN", 227, Initialiser::caffe, member);
}

// "Same" padding as in Keras: the total that gives ⌈side/stride⌉ outputs, the odd one after.
NetSpec alexnet_cifar() {
  FamilyMember member = single_tower();
  member.convolutions[0].padding = {3, 4};
  member.pool.padding = {0, 1};
  member.classes = 10;
  NetSpec spec;
  spec.description = "Keras tutorial network for 32 × 32, \"same\" padding everywhere";
  spec.input = {3, 32, 32};
  spec.stored_side = 32;
  spec.initialiser = Initialiser::keras;
  spec.layers = layers_of(member);
  return spec;
}

NetSpec alexnet_mini() {
  FamilyMember member;
  member.convolutions = {convolution(48, 5, 2, {2, 2}), convolution(96, 5, 1, {2, 2}),
                         convolution(128, 3, 1, {1, 1}), convolution(128, 3, 1, {1, 1}),
                         convolution(96, 3, 1, {1, 1})};
  member.hidden = 512;
  member.classes = 10;
  NetSpec spec;
  spec.description = "small network for the quickstart and for tests, 64 × 64";
  spec.input = {3, 64, 64};
  spec.stored_side = 72;  // leaves 9 × 9 positions for the quickstart's random crops
  spec.initialiser = Initialiser::torch;
  spec.layers = layers_of(member);
  return spec;
}

struct NamedNetwork {
  const char* name;
  NetSpec (*make)();
};

constexpr std::array networks = {
    NamedNetwork{"alexnet", alexnet},
    NamedNetwork{"alexnet-ungrouped", alexnet_ungrouped},
    NamedNetwork{"alexnet-ungrouped-lrn", alexnet_ungrouped_lrn},
    NamedNetwork{"alexnet-padded", alexnet_padded},
    NamedNetwork{"alexnet-owt", alexnet_owt},
    NamedNetwork{"caffe-alexnet", caffe_alexnet},
    NamedNetwork{"caffenet", caffenet},
    NamedNetwork{"alexnet-cifar", alexnet_cifar},
    NamedNetwork{"alexnet-mini", alexnet_mini},
};

void change_classes(NetSpec& spec, int classes) {
  if (classes < 1) fail(ExitCode::usage, "{}: {} classes; at least 1 is required", spec.name, classes);
  for (auto layer = spec.layers.rbegin(); layer != spec.layers.rend(); ++layer) {
    if (auto* f = std::get_if<FullyConnected>(&*layer)) {
      f->outputs = classes;
      return;
    }
  }
}

void change_dropout(NetSpec& spec, double p) {
  if (!(p >= 0 && p < 1)) fail(ExitCode::usage, "dropout {}: use a probability in [0, 1)", p);
  for (Layer& layer : spec.layers) {
    if (auto* dropout = std::get_if<Dropout>(&layer)) dropout->p = p;
  }
}

void change_input(NetSpec& spec, int side) {
  if (side == spec.input.height) return;
  if (!spec.any_input_size) {
    fail(ExitCode::usage, "{} accepts only {}×{} inputs, not {}×{}; alexnet-owt accepts other sizes",
         spec.name, spec.input.height, spec.input.width, side, side);
  }
  spec.input.height = spec.input.width = side;
  spec.stored_side = std::max(spec.stored_side, side);
  infer_shapes(spec);  // rejects a side that is too small, naming the layer
}

}  // namespace

std::vector<std::string> network_names() {
  std::vector<std::string> names;
  names.reserve(networks.size());
  for (const NamedNetwork& network : networks) names.emplace_back(network.name);
  return names;
}

NetSpec make_network(std::string_view name, const NetworkChanges& changes) {
  const auto* found = std::find_if(networks.begin(), networks.end(),
                                   [&](const NamedNetwork& network) { return name == network.name; });
  if (found == networks.end()) {
    fail(ExitCode::usage, "unknown network '{}'; the networks are: {}", name, text_list(network_names()));
  }
  NetSpec spec = found->make();
  spec.name = found->name;
  if (changes.classes != 0) change_classes(spec, changes.classes);
  if (changes.dropout) change_dropout(spec, *changes.dropout);
  if (changes.input_side != 0) change_input(spec, changes.input_side);
  return spec;
}

}  // namespace convoy
