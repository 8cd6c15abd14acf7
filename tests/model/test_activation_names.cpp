#include <gtest/gtest.h>

#include "base/error.hpp"
#include "model/activation_names.hpp"
#include "model/networks.hpp"

namespace convoy {
namespace {

std::vector<std::string> names_of(const std::string& network) {
  std::vector<std::string> names;
  for (const NamedActivation& each : named_activations(make_network(network))) names.push_back(each.name);
  return names;
}

TEST(ActivationNames, AreThoseOfThePapers) {
  EXPECT_EQ(names_of("alexnet"),
            (std::vector<std::string>{"conv1", "norm1", "pool1", "conv2", "norm2", "pool2", "conv3", "conv4",
                                      "conv5", "pool5", "fc6", "fc7", "fc8"}));
  EXPECT_EQ(names_of("caffenet")[1], "pool1");
  EXPECT_EQ(names_of("caffenet")[2], "norm1");
  EXPECT_EQ(names_of("alexnet-owt")[8], "avgpool");
}

TEST(ActivationNames, NameTheActivationBehindTheRelu) {
  for (const std::string& network : network_names()) {
    const NetSpec spec = make_network(network);
    const std::vector<Shape> shapes = infer_shapes(spec);
    int before = -1;
    for (const NamedActivation& each : named_activations(spec)) {
      SCOPED_TRACE(network + " " + each.name);
      const auto index = static_cast<std::size_t>(each.layer_index);
      EXPECT_GT(each.layer_index, before);
      EXPECT_EQ(each.shape, shapes[index]);
      const bool is_product = each.name.starts_with("conv") || each.name.starts_with("fc");
      EXPECT_EQ(std::holds_alternative<Relu>(spec.layers[index]), is_product && each.name != "fc8");
      before = each.layer_index;
    }
    EXPECT_EQ(find_activation(spec, "fc8").layer_index, static_cast<int>(spec.layers.size()) - 1);
  }
}

TEST(ActivationNames, AnUnknownNameIsRefusedWithThoseThatExist) {
  try {
    find_activation(make_network("alexnet-mini"), "conv6");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::usage);
    EXPECT_EQ(
        std::string(error.what()),
        "alexnet-mini has no layer 'conv6'; its layers are: conv1, pool1, conv2, pool2, conv3, conv4, conv5, "
        "pool5, fc6, fc7, fc8");
  }
}

}  // namespace
}  // namespace convoy
