// The flat buffers' layout: order, alignment, shapes, fans.
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "model/networks.hpp"
#include "model/parameter_table.hpp"

namespace convoy {
namespace {

TEST(ParameterTable, StandsAsBackwardFinishes) {
  const ParameterTable table(make_network("alexnet"));
  std::vector<std::string> paths;
  for (const Parameter& parameter : table.parameters()) paths.push_back(parameter.path());
  EXPECT_EQ(paths, (std::vector<std::string>{"fc8/weight", "fc8/bias", "fc7/weight", "fc7/bias", "fc6/weight",
                                             "fc6/bias", "conv5/weight", "conv5/bias", "conv4/weight",
                                             "conv4/bias", "conv3/weight", "conv3/bias", "conv2/weight",
                                             "conv2/bias", "conv1/weight", "conv1/bias"}));
}

TEST(ParameterTable, TensorsAreAlignedAndGaplessOtherwise) {
  for (const std::string& name : network_names()) {
    const NetSpec spec = make_network(name);
    const ParameterTable table(spec);
    std::size_t end = 0, elements = 0;
    for (const Parameter& parameter : table.parameters()) {
      EXPECT_EQ(parameter.offset % parameter_alignment, 0U);
      EXPECT_GE(parameter.offset, end);
      EXPECT_LT(parameter.offset - end, parameter_alignment);
      std::size_t product = 1;
      for (const int extent : parameter.shape) product *= static_cast<std::size_t>(extent);
      EXPECT_EQ(parameter.elements, product);
      end = parameter.offset + parameter.elements;
      elements += parameter.elements;
    }
    EXPECT_GE(table.size(), end);
    EXPECT_LT(table.size() - end, parameter_alignment);
    EXPECT_EQ(table.size() % parameter_alignment, 0U);
    EXPECT_EQ(table.count(), elements);
  }
}

TEST(ParameterTable, ShapesAndFansArePerGroup) {
  const NetSpec spec = make_network("alexnet");
  const ParameterTable table(spec);
  const Parameter& conv1 = table.find("conv1", ParameterKind::weight);
  EXPECT_EQ(conv1.shape, (std::vector<int>{96, 3, 11, 11}));
  EXPECT_EQ(conv1.fan_in, 363);
  EXPECT_EQ(conv1.fan_out, 96 * 121);
  EXPECT_EQ(conv1.ordinal, 0);
  const Parameter& conv2 = table.find("conv2", ParameterKind::weight);
  EXPECT_EQ(conv2.shape, (std::vector<int>{256, 48, 5, 5}));
  EXPECT_EQ(conv2.fan_in, 48 * 25);
  EXPECT_EQ(conv2.fan_out, 128 * 25);
  const Parameter& conv2_bias = table.find("conv2", ParameterKind::bias);
  EXPECT_EQ(conv2_bias.shape, (std::vector<int>{256}));
  EXPECT_EQ(conv2_bias.fan_in, 48 * 25);
  EXPECT_EQ(conv2_bias.ordinal, 3);
  const Parameter& fc6 = table.find("fc6", ParameterKind::weight);
  EXPECT_EQ(fc6.shape, (std::vector<int>{4096, 9216}));
  EXPECT_EQ(fc6.fan_in, 9216);
  EXPECT_EQ(fc6.fan_out, 4096);
  EXPECT_EQ(fc6.ordinal, 10);
  EXPECT_EQ(std::get<FullyConnected>(spec.layers[static_cast<std::size_t>(fc6.layer_index)]).name, "fc6");
}

TEST(ParameterTable, UnknownNamesAreBugs) {
  const ParameterTable table(make_network("alexnet-mini"));
  try {
    table.find("conv9", ParameterKind::bias);
    FAIL() << "found conv9";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::bug);
    EXPECT_NE(std::string(error.what()).find("conv9/bias"), std::string::npos);
  }
}

TEST(ParameterTable, RefusesTwoLayersOfOneName) {
  NetSpec spec = make_network("alexnet-mini");
  spec.layers.push_back(FullyConnected{"fc8", 10});
  EXPECT_THROW(ParameterTable{spec}, Error);
}

}  // namespace
}  // namespace convoy
