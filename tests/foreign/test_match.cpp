#include <gtest/gtest.h>

#include <algorithm>

#include "foreign/match.hpp"
#include "foreign/sample_tensors.hpp"
#include "model/networks.hpp"

namespace convoy::test {
namespace {

std::vector<std::string> fitting(const std::vector<NamedTensor>& tensors) {
  std::vector<std::string> names;
  for (const NetworkMatch& match : match_networks(tensors)) names.push_back(match.network);
  return names;
}

// The mapping as "features.0.weight → conv1/weight", one per parameter.
std::vector<std::string> mapping(const std::vector<NamedTensor>& tensors, const std::string& network) {
  std::vector<std::string> texts;
  for (const NetworkMatch& match : match_networks(tensors))
    if (match.network == network)
      for (const auto& [tensor, parameter] : match.pairs)
        texts.push_back(tensors[tensor].name + " → " + parameter);
  return texts;
}

void expect_mapping(std::vector<NamedTensor> tensors, const std::string& network, const LayerNames& names) {
  std::vector<std::string> expected;
  for (std::size_t i = 0; i < names.size(); ++i)
    for (const std::string kind : {"weight", "bias"})
      expected.push_back(names[i] + "." + kind + " → " + own_names()[i] + "/" + kind);
  EXPECT_EQ(mapping(tensors, network), expected);
}

TEST(Match, EveryNetworkIsRecognisedByItsShapes) {
  const std::vector<std::vector<std::string>> alike = {
      {"alexnet", "caffe-alexnet", "caffenet"},
      {"alexnet-ungrouped", "alexnet-ungrouped-lrn", "alexnet-padded"},
      {"alexnet-owt"},
      {"alexnet-cifar"},
      {"alexnet-mini"}};
  for (const std::string& name : network_names()) {
    const auto group = std::ranges::find_if(
        alike, [&](const auto& names) { return std::ranges::find(names, name) != names.end(); });
    ASSERT_NE(group, alike.end()) << name;
    EXPECT_EQ(fitting(shapes_of(make_network(name), own_names())), *group) << name;
  }
}

TEST(Match, TakesTheNumberOfClassesFromTheFile) {
  for (const std::string& name : network_names())
    for (const int classes : {1, 7, 4096}) {
      const auto matches =
          match_networks(shapes_of(make_network(name, {.classes = classes, .dropout = {}}), own_names()));
      ASSERT_FALSE(matches.empty()) << name;
      EXPECT_EQ(matches.front().classes, classes) << name;
    }
}

TEST(Match, NamesOfAllFamilies) {
  const std::vector<LayerNames> families = {
      own_names(),
      torchvision_names(),
      {"features.0", "features.4", "features.8", "features.10", "features.12", "classifier.0", "classifier.3",
       "classifier.6"},
      {"convolution.0", "convolution.3", "convolution.6", "convolution.8", "convolution.10",
       "fully_connected.1", "fully_connected.4", "fully_connected.6"},
      {"conv1.0", "conv2.0", "conv3.0", "conv4.0", "conv5.0", "fc.0", "fc.2", "fc.4"},
      {"backbone.first", "backbone.second", "backbone.third", "backbone.fourth", "backbone.fifth",
       "hidden_one", "hidden_two", "head"}};
  for (const LayerNames& names : families)
    for (const std::string network : {"alexnet", "alexnet-ungrouped", "alexnet-owt", "alexnet-mini"})
      expect_mapping(shapes_of(make_network(network), names), network, names);
}

TEST(Match, NamesMayEndAfterASlashOrAnUnderscore) {
  std::vector<NamedTensor> tensors = shapes_of(make_network("alexnet-owt"), own_names());
  for (NamedTensor& tensor : tensors) std::ranges::replace(tensor.name, '.', '/');
  EXPECT_EQ(fitting(tensors), std::vector<std::string>{"alexnet-owt"});
  for (NamedTensor& tensor : tensors) std::ranges::replace(tensor.name, '/', '_');
  EXPECT_EQ(fitting(tensors), std::vector<std::string>{"alexnet-owt"});
  for (NamedTensor& tensor : tensors) std::ranges::replace(tensor.name, '_', ':');
  EXPECT_TRUE(fitting(tensors).empty());
}

TEST(Match, AnyOrderIsRecognised) {
  std::vector<NamedTensor> tensors = shapes_of(make_network("alexnet-owt"), torchvision_names());
  std::ranges::reverse(tensors);
  expect_mapping(tensors, "alexnet-owt", torchvision_names());
  std::ranges::sort(tensors, {}, &NamedTensor::name);
  expect_mapping(tensors, "alexnet-owt", torchvision_names());
}

// fc7 and fc8 have the same shape then.
TEST(Match, AmongEqualShapesTheOrderDecides) {
  const NetSpec network = make_network("alexnet-mini", {.classes = 512, .dropout = {}});
  expect_mapping(shapes_of(network, torchvision_names()), "alexnet-mini", torchvision_names());
}

TEST(Match, FullyConnectedLayersMayBeConvolutions) {
  std::vector<NamedTensor> tensors = shapes_of(make_network("caffenet"), own_names());
  for (NamedTensor& tensor : tensors) {
    if (tensor.name == "fc6.weight") tensor.shape = {4096, 256, 6, 6};
    if (tensor.name == "fc7.weight") tensor.shape = {4096, 4096, 1, 1};
    if (tensor.name == "fc8.weight") tensor.shape = {1000, 4096, 1, 1};
  }
  expect_mapping(tensors, "caffenet", own_names());
}

TEST(Match, OtherTensorsAreLeftOver) {
  std::vector<NamedTensor> tensors = shapes_of(make_network("alexnet-owt"), torchvision_names());
  tensors.insert(tensors.begin() + 4, {"features.1.running_mean", {64}, {}});
  tensors.push_back({"auxiliary.weight", {10, 9216}, {}});
  const auto matches = match_networks(tensors);
  ASSERT_EQ(matches.size(), 1U);
  EXPECT_EQ(tensors_text(tensors, matches[0].left_over),
            "features.1.running_mean (64), auxiliary.weight (10 × 9216)");
  expect_mapping(tensors, "alexnet-owt", torchvision_names());
}

void expect_mismatch(const std::vector<NamedTensor>& tensors, const std::string& text) {
  EXPECT_TRUE(match_networks(tensors).empty());
  EXPECT_EQ(mismatch_text(tensors, {}), text);
}

TEST(Match, AMismatchNamesTheNearestNetworkAndTheTensor) {
  const std::vector<NamedTensor> right = shapes_of(make_network("alexnet-owt"), torchvision_names());
  std::vector<NamedTensor> tensors = right;
  tensors[4].shape = {384, 192, 5, 5};
  expect_mismatch(
      tensors, "alexnet-owt needs conv3/weight of 384 × 192 × 3 × 3; features.6.weight is 384 × 192 × 5 × 5");
  tensors = right;
  tensors.erase(tensors.begin() + 13);
  expect_mismatch(tensors, "alexnet-owt needs fc7/bias of 4096; classifier.6.bias is 1000");
  tensors = right;
  tensors.resize(14);
  expect_mismatch(tensors,
                  "alexnet-owt needs fc8/weight of 1000 × 4096; no weight of as many dimensions is left");
  tensors = right;
  tensors[1].shape = {32};
  expect_mismatch(tensors, "alexnet-owt needs conv1/bias of 64; features.0.bias is 32");
  EXPECT_EQ(mismatch_text(right, "alexnet"),
            "alexnet needs conv1/weight of 96 × 3 × 11 × 11; features.0.weight is 64 × 3 × 11 × 11");
  EXPECT_TRUE(match_networks({}).empty());
}

}  // namespace
}  // namespace convoy::test
