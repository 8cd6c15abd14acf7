// Networks of equal shapes: the layers in between, or the name, tell them apart in files of Caffe; in others
// the user does.
#include <gtest/gtest.h>

#include "foreign/choose_network.hpp"
#include "foreign/sample_tensors.hpp"
#include "model/networks.hpp"
#include "support/expect_error.hpp"

namespace convoy::test {
namespace {

const std::vector<NamedTensor> two_towers = shapes_of(make_network("caffenet"), own_names());

std::string chosen(const NetworkHints& hints) {
  return choose_network("net.pth", two_towers, hints).match.network;
}

// A file with layers of these kinds: C, N, P or F.
CaffeModel described(const std::string& order, float k) {
  CaffeModel model;
  for (const char letter : order)
    model.layers.push_back({"",
                            letter == 'C'   ? CaffeLayerKind::convolution
                            : letter == 'N' ? CaffeLayerKind::normalisation
                            : letter == 'P' ? CaffeLayerKind::pooling
                                            : CaffeLayerKind::inner_product,
                            k});
  return model;
}

TEST(ChooseNetwork, NothingDecides) {
  expect_error(
      ExitCode::usage,
      {"net.pth", "fit alexnet, caffe-alexnet, caffenet equally well", "import net.pth --model alexnet"},
      [] { chosen({}); });
  expect_error(ExitCode::usage, {"equally well"}, [] { chosen({.exported = "alexnet-owt"}); });
}

TEST(ChooseNetwork, TheUserDecides) {
  EXPECT_EQ(chosen({.network = "caffe-alexnet"}), "caffe-alexnet");
  EXPECT_EQ(choose_network("net.pth", two_towers, {.network = "caffe-alexnet"}).alike,
            (std::vector<std::string>{"alexnet", "caffenet"}));
  expect_error(ExitCode::usage,
               {"--model alexnet-owt", "net.pth", "conv1/weight of 64 × 3 × 11 × 11", "is 96 × 3 × 11 × 11"},
               [] { chosen({.network = "alexnet-owt"}); });
  expect_error(ExitCode::usage, {"unknown network 'alexnet-new'"},
               [] { chosen({.network = "alexnet-new"}); });
}

TEST(ChooseNetwork, ForARunAnyNetworkOfTheseShapesWillDo) {
  EXPECT_EQ(chosen({.preferred = "caffenet"}), "caffenet");
  EXPECT_EQ(chosen({.preferred = "alexnet-owt"}), "alexnet");
}

TEST(ChooseNetwork, ConvoysOwnFileNamesIt) {
  EXPECT_EQ(chosen({.exported = "caffenet"}), "caffenet");
}

TEST(ChooseNetwork, CaffesLayersTellTheNetwork) {
  const std::string norm_first = "CNPCNPCCCPFFF", pool_first = "CPNCPNCCCPFFF";
  for (const auto& [order, k, network] : {std::tuple{norm_first, 1.0F, "caffe-alexnet"},
                                          {norm_first, 2.0F, "alexnet"},
                                          {pool_first, 1.0F, "caffenet"}}) {
    CaffeModel model = described(order, k);
    model.name = "CaffeNet";  // the layers count
    EXPECT_EQ(chosen({.caffe = &model}), network);
  }
  EXPECT_TRUE(is_described(described("CPCPCCCPFFF", 1), "alexnet-ungrouped"));
  EXPECT_FALSE(is_described(described(pool_first, 1), "caffe-alexnet"));
}

TEST(ChooseNetwork, CaffesNameTellsTheNetwork) {
  CaffeModel model = described("CCCCCFFF", 1);
  expect_error(ExitCode::usage, {"equally well"}, [&] { chosen({.caffe = &model}); });
  model.name = "My_CaffeNet";
  EXPECT_EQ(chosen({.caffe = &model}), "caffenet");
  model.name = "AlexNet";
  EXPECT_EQ(chosen({.caffe = &model}), "caffe-alexnet");
}

TEST(ChooseNetwork, WhatFitsNothing) {
  expect_error(ExitCode::bad_data, {"net.pth", "fit none of the networks (alexnet, ", "the nearest: "},
               [] { choose_network("net.pth", {}, {}); });
}

}  // namespace
}  // namespace convoy::test
