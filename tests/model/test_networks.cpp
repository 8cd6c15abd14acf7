// The family's networks: exact sizes, shapes, layer orders and what is refused.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.hpp"
#include "model/networks.hpp"
#include "model/parameter_table.hpp"

namespace convoy {
namespace {

struct Expected {
  const char* name;
  int input_side, stored_side, classes;
  std::size_t parameters;
  long long multiply_accumulates;
  Initialiser initialiser;
  std::vector<int> convolution_sides;  // output side of conv1 … conv5
  Shape flattened;                     // what fc6 takes
};

std::ostream& operator<<(std::ostream& out, const Expected& expected) {
  return out << expected.name;
}

class Family : public testing::TestWithParam<Expected> {};

const std::vector<int> imagenet_sides = {55, 27, 13, 13, 13};

INSTANTIATE_TEST_SUITE_P(
    Networks, Family,
    testing::Values(
        Expected{
            "alexnet", 227, 256, 1000, 60965224, 724406816, Initialiser::paper, imagenet_sides, {256, 6, 6}},
        Expected{"alexnet-ungrouped",
                 227,
                 256,
                 1000,
                 62378344,
                 1135256096,
                 Initialiser::torch,
                 imagenet_sides,
                 {256, 6, 6}},
        Expected{"alexnet-ungrouped-lrn",
                 227,
                 256,
                 1000,
                 62378344,
                 1135256096,
                 Initialiser::paper,
                 imagenet_sides,
                 {256, 6, 6}},
        Expected{"alexnet-padded",
                 224,
                 256,
                 1000,
                 62378344,
                 1135256096,
                 Initialiser::torch,
                 imagenet_sides,
                 {256, 6, 6}},
        Expected{"alexnet-owt",
                 224,
                 256,
                 1000,
                 61100840,
                 714188480,
                 Initialiser::torch,
                 imagenet_sides,
                 {256, 6, 6}},
        Expected{"caffe-alexnet",
                 227,
                 256,
                 1000,
                 60965224,
                 724406816,
                 Initialiser::caffe,
                 imagenet_sides,
                 {256, 6, 6}},
        Expected{
            "caffenet", 227, 256, 1000, 60965224, 724406816, Initialiser::caffe, imagenet_sides, {256, 6, 6}},
        Expected{"alexnet-cifar",
                 32,
                 32,
                 10,
                 21622154,
                 42313728,
                 Initialiser::keras,
                 {8, 4, 2, 2, 2},
                 {256, 1, 1}},
        Expected{"alexnet-mini",
                 64,
                 72,
                 10,
                 1198602,
                 48379392,
                 Initialiser::torch,
                 {32, 15, 7, 7, 7},
                 {96, 3, 3}}),
    [](const auto& each) {
      std::string name = each.param.name;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

TEST_P(Family, HasTheDocumentedSize) {
  const Expected& expected = GetParam();
  const NetSpec spec = make_network(expected.name);
  EXPECT_EQ(spec.name, expected.name);
  EXPECT_FALSE(spec.description.empty());
  EXPECT_EQ(spec.input, (Shape{3, expected.input_side, expected.input_side}));
  EXPECT_EQ(spec.stored_side, expected.stored_side);
  EXPECT_EQ(class_count(spec), expected.classes);
  EXPECT_EQ(ParameterTable(spec).count(), expected.parameters);
  EXPECT_EQ(multiply_accumulates(spec), expected.multiply_accumulates);
  EXPECT_EQ(spec.initialiser, expected.initialiser);
}

TEST_P(Family, HasTheDocumentedShapes) {
  const Expected& expected = GetParam();
  const NetSpec spec = make_network(expected.name);
  const std::vector<Shape> shapes = infer_shapes(spec);
  ASSERT_EQ(shapes.size(), spec.layers.size());
  std::vector<int> sides;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    if (std::holds_alternative<Convolution>(spec.layers[i])) sides.push_back(shapes[i].height);
    EXPECT_EQ(shapes[i].height, shapes[i].width);
    if (const auto* f = std::get_if<FullyConnected>(&spec.layers[i]); f && f->name == "fc6") {
      EXPECT_EQ(shapes[i - 1], expected.flattened);
    }
  }
  EXPECT_EQ(sides, expected.convolution_sides);
}

TEST(Networks, NamesAreTheFamilyInOrder) {
  EXPECT_EQ(network_names(),
            (std::vector<std::string>{"alexnet", "alexnet-ungrouped", "alexnet-ungrouped-lrn",
                                      "alexnet-padded", "alexnet-owt", "caffe-alexnet", "caffenet",
                                      "alexnet-cifar", "alexnet-mini"}));
}

// One letter a layer: C R N P A F D.
std::string layer_letters(const NetSpec& spec) {
  std::string letters;
  for (const Layer& layer : spec.layers) letters += "CRNPAFD"[layer.index()];
  return letters;
}

TEST(Networks, LayersStandInTheDocumentedOrder) {
  EXPECT_EQ(layer_letters(make_network("alexnet")), "CRNPCRNPCRCRCRPFRDFRDF");
  EXPECT_EQ(layer_letters(make_network("alexnet-ungrouped")), "CRPCRPCRCRCRPFRDFRDF");
  EXPECT_EQ(layer_letters(make_network("alexnet-ungrouped-lrn")), "CRNPCRNPCRCRCRPFRDFRDF");
  EXPECT_EQ(layer_letters(make_network("alexnet-padded")), "CRPCRPCRCRCRPDFRDFRF");
  EXPECT_EQ(layer_letters(make_network("alexnet-owt")), "CRPCRPCRCRCRPADFRDFRF");
  EXPECT_EQ(layer_letters(make_network("caffe-alexnet")), "CRNPCRNPCRCRCRPFRDFRDF");
  EXPECT_EQ(layer_letters(make_network("caffenet")), "CRPNCRPNCRCRCRPFRDFRDF");
  EXPECT_EQ(layer_letters(make_network("alexnet-cifar")), "CRPCRPCRCRCRPFRDFRDF");
  EXPECT_EQ(layer_letters(make_network("alexnet-mini")), "CRPCRPCRCRCRPFRDFRDF");
}

float normalisation_k(const std::string& name) {
  for (const Layer& layer : make_network(name).layers) {
    if (const auto* n = std::get_if<LocalResponseNormalisation>(&layer)) {
      EXPECT_EQ(n->size, 5);
      EXPECT_EQ(n->alpha, 1e-4F);
      EXPECT_EQ(n->beta, 0.75F);
      return n->k;
    }
  }
  return -1;
}

TEST(Networks, NormalisationDiffersInItsConstant) {
  EXPECT_EQ(normalisation_k("alexnet"), 2);
  EXPECT_EQ(normalisation_k("alexnet-ungrouped-lrn"), 1);
  EXPECT_EQ(normalisation_k("caffe-alexnet"), 1);
  EXPECT_EQ(normalisation_k("caffenet"), 1);
}

TEST(Networks, GroupsStandInTheTwoTowerNetworksOnly) {
  for (const std::string& name : network_names()) {
    const bool two_towers = name == "alexnet" || name == "caffe-alexnet" || name == "caffenet";
    for (const Layer& layer : make_network(name).layers) {
      if (const auto* c = std::get_if<Convolution>(&layer)) {
        const bool grouped = c->name == "conv2" || c->name == "conv4" || c->name == "conv5";
        EXPECT_EQ(c->groups, two_towers && grouped ? 2 : 1) << name << " " << c->name;
      }
    }
  }
}

TEST(Networks, ChangesApply) {
  NetworkChanges changes;
  changes.classes = 467;
  changes.dropout = 0.25;
  const NetSpec spec = make_network("alexnet", changes);
  EXPECT_EQ(class_count(spec), 467);
  EXPECT_EQ(ParameterTable(spec).count(), 60965224U - (1000U - 467U) * 4097U);
  int dropouts = 0;
  for (const Layer& layer : spec.layers) {
    if (const auto* d = std::get_if<Dropout>(&layer)) {
      EXPECT_EQ(d->p, 0.25);
      ++dropouts;
    }
  }
  EXPECT_EQ(dropouts, 2);
  changes.dropout = 0;
  EXPECT_EQ(make_network("alexnet", changes).layers.size(), spec.layers.size());
}

TEST(Networks, OnlyOneWeirdTrickTakesOtherSizes) {
  NetworkChanges changes;
  changes.input_side = 288;
  const NetSpec larger = make_network("alexnet-owt", changes);
  EXPECT_EQ(larger.input, (Shape{3, 288, 288}));
  EXPECT_EQ(larger.stored_side, 288);
  EXPECT_EQ(ParameterTable(larger).count(), 61100840U);
  changes.input_side = 63;  // the smallest that leaves one pixel after the last pool
  EXPECT_EQ(infer_shapes(make_network("alexnet-owt", changes))[12], (Shape{256, 1, 1}));
  for (const std::string& name : network_names()) {
    EXPECT_EQ(make_network(name).any_input_size, name == "alexnet-owt");
    changes.input_side = make_network(name).input.height;
    EXPECT_NO_THROW(make_network(name, changes));
    changes.input_side = 240;
    if (name != "alexnet-owt") {
      EXPECT_THROW(make_network(name, changes), Error) << name;
    }
  }
}

std::string refusal(const std::string& name, const NetworkChanges& changes) {
  try {
    make_network(name, changes);
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::usage);
    return error.what();
  }
  return "";
}

TEST(Networks, RefusalsSayWhatAndWhatElse) {
  NetworkChanges changes;
  EXPECT_NE(refusal("alexnet-2011", changes).find("alexnet-ungrouped-lrn"), std::string::npos);
  EXPECT_NE(refusal("alexnet-2011", changes).find("alexnet-2011"), std::string::npos);
  changes.input_side = 62;
  EXPECT_NE(refusal("alexnet-owt", changes).find("max-pool at layer 12"), std::string::npos);
  changes.input_side = 224;
  EXPECT_NE(refusal("alexnet", changes).find("227"), std::string::npos);
  changes = {};
  changes.classes = -3;
  EXPECT_NE(refusal("alexnet", changes).find("-3"), std::string::npos);
  changes = {};
  changes.dropout = 1.0;
  EXPECT_NE(refusal("alexnet", changes).find("[0, 1)"), std::string::npos);
}

NetSpec one_layer(Layer layer, Shape input) {
  NetSpec spec;
  spec.name = "small";
  spec.input = input;
  spec.layers = {std::move(layer)};
  return spec;
}

TEST(Shapes, PaddingMayDifferBeforeAndAfter) {
  EXPECT_EQ(infer_shapes(one_layer(Convolution{"c", 8, 11, 4, {3, 4}, 1}, {3, 32, 32}))[0], (Shape{8, 8, 8}));
  EXPECT_EQ(infer_shapes(one_layer(Convolution{"c", 8, 11, 4, {0, 3}, 1}, {3, 224, 224}))[0],
            (Shape{8, 55, 55}));
  EXPECT_EQ(infer_shapes(one_layer(MaxPool{3, 2, {0, 1}}, {3, 8, 8}))[0], (Shape{3, 4, 4}));
  EXPECT_EQ(infer_shapes(one_layer(MaxPool{3, 2, {0, 0}}, {3, 55, 54}))[0], (Shape{3, 27, 26}));
  EXPECT_EQ(infer_shapes(one_layer(AdaptiveAveragePool{6}, {3, 7, 5}))[0], (Shape{3, 6, 6}));
}

TEST(Shapes, RefusesLayersThatDoNotFit) {
  const auto refuses = [](Layer layer, Shape input) {
    EXPECT_THROW(infer_shapes(one_layer(std::move(layer), input)), Error);
  };
  refuses(Convolution{"c", 8, 5, 1, {1, 1}, 1}, {3, 2, 2});
  refuses(Convolution{"c", 8, 3, 1, {1, 1}, 2}, {3, 8, 8});
  refuses(Convolution{"c", 7, 3, 1, {1, 1}, 2}, {4, 8, 8});
  refuses(Convolution{"c", 8, 3, 0, {1, 1}, 1}, {4, 8, 8});
  refuses(MaxPool{3, 2, {3, 0}}, {4, 8, 8});
  refuses(MaxPool{3, 2, {0, 0}}, {4, 2, 8});
  refuses(LocalResponseNormalisation{4, 1, 1, 1}, {4, 8, 8});
  refuses(FullyConnected{"f", 0}, {4, 8, 8});
  refuses(Dropout{1.0}, {4, 8, 8});
  refuses(AdaptiveAveragePool{0}, {4, 8, 8});
  refuses(Relu{}, {0, 8, 8});
  EXPECT_THROW(class_count(one_layer(Relu{}, {1, 1, 1})), Error);
}

}  // namespace
}  // namespace convoy
