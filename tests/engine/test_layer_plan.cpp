// The plan that both engines execute: what is fused, where gradients of ReLUs are taken, dropout numbers,
// shapes, and the order and ranges of backward. Plans are compared as text: an operation a word.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "engine/layer_plan.hpp"
#include "model/networks.hpp"

namespace convoy::test {
namespace {

struct Word {
  const PlannedOperation& planned;

  // conv1[relu,gradient,…]: what it does beside its layer.
  std::string with_extras(const std::string& name) const {
    std::string extras;
    if (planned.input_padded) extras += ",padded";
    if (planned.input_patch > 1) extras += ",patches";
    if (planned.relu) extras += ",relu";
    if (planned.takes_relu_gradient) extras += ",gradient";
    if (planned.gradient_factor != 1) extras += ",dropout";
    if (planned.leaves_bias_gradient) extras += ",no bias";
    return extras.empty() ? name : name + "[" + extras.substr(1) + "]";
  }

  std::string operator()(const Convolution& c) const { return with_extras(c.name); }
  std::string operator()(const FullyConnected& f) const { return with_extras(f.name); }
  std::string operator()(const Relu&) const { return "relu"; }
  std::string operator()(const LocalResponseNormalisation&) const { return "norm"; }
  std::string operator()(const MaxPool&) const { return "pool"; }
  std::string operator()(const AdaptiveAveragePool&) const { return "average"; }
  std::string operator()(const Dropout&) const {
    return "dropout" + std::to_string(planned.dropout) + (planned.leaves_gradient ? "'" : "");
  }
  std::string operator()(const FusedPool& f) const {
    return (f.normalisation ? "norm+pool@" : "pool@") + f.convolution;
  }
  std::string operator()(const ReluGradient&) const { return "gradient"; }
};

std::string word(const PlannedOperation& planned) {
  return std::visit(Word{planned}, planned.kind);
}

std::string text(const LayerPlan& plan) {
  std::string result;
  for (const PlannedOperation& planned : plan.operations)
    result += (result.empty() ? "" : " ") + word(planned);
  return result;
}

// The backward pass, an operation a word; a bar behind one whose input's gradient nobody needs.
std::string backward_text(const LayerPlan& plan) {
  std::string result;
  for (const BackwardStep& step : plan.backward) {
    result += (result.empty() ? "" : " ") + word(plan.operations.at(step.operation));
    if (!step.input_gradient) result += "|";
  }
  return result;
}

LayerPlan plan(const NetSpec& spec, const PlanOptions& options) {
  return plan_layers(spec, ParameterTable(spec), options);
}

// As a GPU's kernels: any shape, but padding behind the map only.
bool serves_unpadded_before(const FusedPool& pool, const Shape&) {
  return pool.pool.padding.before == 0;
}

PlanOptions fusing() {
  return {.own_relu_gradient = true,
          .folds_dropout = true,
          .pads_input = true,
          .serves_fused_pool = serves_unpadded_before};
}

NetSpec network(std::vector<Layer> layers) {
  NetSpec spec;
  spec.name = "small";
  spec.input = {3, 16, 16};
  spec.layers = std::move(layers);
  return spec;
}

const LocalResponseNormalisation norm{5, 2, 1e-4F, 0.75F};
const Convolution conv1{"conv1", 8, 3, 1, {1, 1}};
const Convolution conv2{"conv2", 8, 3, 1, {1, 1}};
const FullyConnected fc6{"fc6", 12};
const FullyConnected fc8{"fc8", 5};

// What stands between conv1 … conv5 and before fc8, by engine.
struct Expected {
  std::string simple, fused;
};

std::map<std::string, Expected> expected_plans() {
  const std::string connected = "fc6[relu] gradient dropout0 fc7[relu] gradient dropout1 fc8",
                    connected_own =
                        "fc6[relu,gradient,dropout] dropout0' fc7[relu,gradient,dropout] dropout1' fc8",
                    dropout_first = "dropout0 fc6[relu] gradient dropout1 fc7[relu] gradient fc8",
                    dropout_first_own =
                        "dropout0 fc6[relu,gradient,dropout] dropout1' fc7[relu,gradient] fc8";
  const std::string middle = "conv3[relu] gradient conv4[relu] gradient conv5[relu] pool gradient ",
                    middle_own = "conv3[relu,gradient] conv4[relu,gradient] conv5[relu,no bias] pool@conv5 ";
  const std::string norms = "conv1[relu] norm pool gradient conv2[relu] norm pool gradient ",
                    norms_fused = "conv1[relu,no bias] norm+pool@conv1 conv2[relu,no bias] norm+pool@conv2 ";
  const std::string pools = "conv1[relu] pool gradient conv2[relu] pool gradient ",
                    pools_fused = "conv1[relu,no bias] pool@conv1 conv2[relu,no bias] pool@conv2 ";
  const Expected with_norms{norms + middle + connected, norms_fused + middle_own + connected_own};
  const Expected without{pools + middle + connected, pools_fused + middle_own + connected_own};
  const Expected dropout_before{pools + middle + dropout_first, pools_fused + middle_own + dropout_first_own};
  const Expected pool_first{
      "conv1[relu] pool norm gradient conv2[relu] pool norm gradient " + middle + connected,
      "conv1[relu,no bias] pool@conv1 norm conv2[relu,no bias] pool@conv2 norm " + middle_own +
          connected_own};
  // conv1's own padding is uneven, as the pools' is.
  const Expected uneven{
      without.simple,
      "conv1[padded,relu,no bias] pool@conv1 conv2[relu,no bias] pool@conv2 " + middle_own + connected_own};
  return {{"alexnet", with_norms},
          {"alexnet-ungrouped", without},
          {"alexnet-ungrouped-lrn", with_norms},
          {"alexnet-padded", dropout_before},
          {"alexnet-owt", dropout_before},  // its average pool is the identity
          {"caffe-alexnet", with_norms},
          {"caffenet", pool_first},
          {"alexnet-cifar", uneven},
          {"alexnet-mini", without}};
}

TEST(LayerPlan, OfEachNetwork) {
  const std::map<std::string, Expected> expected = expected_plans();
  for (const std::string& name : network_names()) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(expected.contains(name));
    const NetSpec spec = make_network(name);
    EXPECT_EQ(text(plan(spec, {})), expected.at(name).simple);
    EXPECT_EQ(text(plan(spec, fusing())), expected.at(name).fused);
  }
}

TEST(LayerPlan, ShapesAreThoseOfTheLayers) {
  for (const std::string& name : network_names()) {
    SCOPED_TRACE(name);
    const NetSpec spec = make_network(name);
    const std::vector<Shape> shapes = infer_shapes(spec);
    for (const bool every : {false, true}) {
      PlanOptions options = fusing();
      options.every_activation = every;
      const LayerPlan found = plan(spec, options);
      Shape before = spec.input;
      for (const PlannedOperation& planned : found.operations) {
        EXPECT_EQ(planned.input, before) << word(planned);
        before = planned.output;
      }
      EXPECT_EQ(before, shapes.back());
      ASSERT_EQ(found.activations.size(), shapes.size());
      for (std::size_t i = 0; every && i < shapes.size(); ++i)
        EXPECT_EQ(found.operations.at(found.activations[i].value()).output, shapes[i]) << "layer " << i;
    }
  }
}

// Each range is that of the operation's own weight and bias, up to the next tensor.
TEST(LayerPlan, BackwardCompletesTheGradientsInTheOrderOfTheTable) {
  for (const std::string& name : network_names()) {
    for (const PlanOptions& options : {PlanOptions{}, fusing()}) {
      SCOPED_TRACE(name);
      const NetSpec spec = make_network(name);
      const ParameterTable table(spec);
      const LayerPlan found = plan_layers(spec, table, options);
      ASSERT_EQ(found.backward.size(), found.operations.size());
      std::size_t end = 0;
      std::string completed;
      for (std::size_t i = 0; i < found.backward.size(); ++i) {
        const BackwardStep& step = found.backward[i];
        EXPECT_EQ(step.operation, found.operations.size() - 1 - i);
        EXPECT_EQ(step.input_gradient, i + 1 < found.backward.size());
        EXPECT_EQ(step.begin, end);
        end = step.end;
        if (step.begin == step.end) continue;
        const std::string layer = word(found.operations[step.operation]).substr(0, 5);
        const std::string own = layer.substr(0, layer.find('['));
        completed += own + " ";
        EXPECT_EQ(step.begin, table.find(own, ParameterKind::weight).offset);
        const Parameter& bias = table.find(own, ParameterKind::bias);
        EXPECT_GE(step.end, bias.offset + bias.elements);
        EXPECT_LT(step.end, bias.offset + bias.elements + parameter_alignment);
      }
      EXPECT_EQ(end, table.size());
      EXPECT_EQ(completed, "fc8 fc7 fc6 conv5 conv4 conv3 conv2 conv1 ");
    }
  }
}

TEST(LayerPlan, BackwardEndsAtTheFirstLayerWithParameters) {
  const NetSpec spec = network({MaxPool{}, norm, Dropout{}, conv1, Relu{}, conv2, fc8});
  EXPECT_EQ(text(plan(spec, {})), "pool norm dropout0 conv1[relu] gradient conv2 fc8");
  EXPECT_EQ(backward_text(plan(spec, {})), "fc8 conv2 gradient conv1[relu]|");
  EXPECT_EQ(backward_text(plan(spec, fusing())), "fc8 conv2 conv1[relu,gradient]|");
  EXPECT_EQ(backward_text(plan(network({MaxPool{}, Relu{}}), {})), "");
}

TEST(LayerPlan, EvaluationHasNeitherDropoutNorGradients) {
  const NetSpec spec = make_network("alexnet");
  PlanOptions options;
  options.training = false;
  EXPECT_EQ(text(plan(spec, options)),
            "conv1[relu] norm pool conv2[relu] norm pool conv3[relu] conv4[relu] conv5[relu] pool "
            "fc6[relu] fc7[relu] fc8");
  EXPECT_TRUE(plan(spec, options).backward.empty());
  options = fusing();
  options.training = false;
  EXPECT_EQ(text(plan(spec, options)),
            "conv1[relu,no bias] norm+pool@conv1 conv2[relu,no bias] norm+pool@conv2 conv3[relu] "
            "conv4[relu] conv5[relu,no bias] pool@conv5 fc6[relu] fc7[relu] fc8");
}

TEST(LayerPlan, EveryActivationMeansNothingIsFused) {
  const NetSpec spec = network({Dropout{0}, conv1, Relu{}, norm, MaxPool{}, Dropout{0}, fc6, Relu{}, fc8});
  PlanOptions options = fusing();
  options.every_activation = true;
  const LayerPlan found = plan(spec, options);
  EXPECT_EQ(text(found), "conv1 relu norm pool fc6 relu fc8");
  EXPECT_TRUE(found.backward.empty());
  // A layer that is the identity has the activation before it, the first one the network's input.
  const std::vector<std::optional<std::size_t>> activations{std::nullopt, 0, 1, 2, 3, 3, 4, 5, 6};
  EXPECT_EQ(found.activations, activations);
}

TEST(LayerPlan, DropoutNumbersCountEveryDropoutLayer) {
  const NetSpec spec = network({Dropout{0.5}, conv1, Dropout{0}, fc6, Dropout{0.5}, fc8, Dropout{0.1}});
  EXPECT_EQ(text(plan(spec, {})), "dropout0 conv1 fc6 dropout2 fc8 dropout3");
}

TEST(LayerPlan, AnAveragePoolOntoItsOwnSizeIsNoOperation) {
  EXPECT_EQ(text(plan(network({conv1, AdaptiveAveragePool{16}, fc8}), {})), "conv1 fc8");
  EXPECT_EQ(text(plan(network({conv1, AdaptiveAveragePool{6}, fc8}), {})), "conv1 average fc8");
}

// Behind everything that keeps positive places, before everything else, a layer that is the identity
// included.
TEST(LayerPlan, ReluGradientsAreTakenAsLateAsTheyMayBe) {
  const auto both = [](const std::vector<Layer>& layers) {
    PlanOptions own;
    own.own_relu_gradient = true;
    return text(plan(network(layers), {})) + " / " + text(plan(network(layers), own));
  };
  EXPECT_EQ(both({conv1, Relu{}, norm, MaxPool{}, MaxPool{}, fc8}),
            "conv1[relu] norm pool pool gradient fc8 / conv1[relu] norm pool pool gradient fc8");
  EXPECT_EQ(both({conv1, Relu{}, Dropout{0}, MaxPool{}, fc8}),
            "conv1[relu] gradient pool fc8 / conv1[relu,gradient] pool fc8");
  EXPECT_EQ(both({conv1, Relu{}, AdaptiveAveragePool{4}, fc8}),
            "conv1[relu] gradient average fc8 / conv1[relu,gradient] average fc8");
  EXPECT_EQ(both({fc6, Relu{}, fc8, Relu{}}),
            "fc6[relu] gradient fc8[relu] gradient / fc6[relu,gradient] fc8[relu,gradient]");
  // A ReLU behind anything else stands for itself.
  EXPECT_EQ(both({conv1, norm, Relu{}, fc8}), "conv1 norm relu fc8 / conv1 norm relu fc8");
  EXPECT_EQ(both({conv1, Relu{}, Relu{}, fc8}),
            "conv1[relu] gradient relu fc8 / conv1[relu,gradient] relu fc8");
}

TEST(LayerPlan, PoolsAreFusedDirectlyBehindAConvolutionsRelu) {
  const auto fused = [](const std::vector<Layer>& layers) { return text(plan(network(layers), fusing())); };
  EXPECT_EQ(fused({conv1, MaxPool{}, fc8}), "conv1 pool fc8");
  EXPECT_EQ(fused({conv1, Relu{}, Dropout{0}, MaxPool{}, fc8}), "conv1[relu,gradient] pool fc8");
  EXPECT_EQ(fused({conv1, Relu{}, norm, fc8}), "conv1[relu] norm gradient fc8");
  EXPECT_EQ(fused({conv1, Relu{}, norm, Relu{}, MaxPool{}, fc8}), "conv1[relu] norm gradient relu pool fc8");
  EXPECT_EQ(fused({conv1, Relu{}, MaxPool{}, MaxPool{}, fc8}), "conv1[relu,no bias] pool@conv1 pool fc8");
  EXPECT_EQ(fused({conv1, fc6, Relu{}, MaxPool{1, 1, {}}, fc8}), "conv1 fc6[relu] pool gradient fc8");
  // A pool behind a normalisation that is not fused is not directly behind the ReLU.
  EXPECT_EQ(fused({conv1, Relu{}, norm, MaxPool{3, 2, {1, 1}}, MaxPool{}, fc8}),
            "conv1[relu] norm pool pool gradient fc8");
}

TEST(LayerPlan, DropoutsGradientIsFoldedDirectlyBehindAFullyConnectedLayersRelu) {
  const auto folded = [](const std::vector<Layer>& layers) { return text(plan(network(layers), fusing())); };
  EXPECT_EQ(folded({fc6, Relu{}, Dropout{0.5}, fc8}), "fc6[relu,gradient,dropout] dropout0' fc8");
  EXPECT_EQ(folded({fc6, Relu{}, Dropout{0}, fc8}), "fc6[relu,gradient] fc8");
  EXPECT_EQ(folded({fc6, Dropout{0.5}, fc8}), "fc6 dropout0 fc8");
  EXPECT_EQ(folded({fc6, Dropout{0.5}, Relu{}, fc8}), "fc6 dropout0 relu fc8");
  EXPECT_EQ(folded({conv1, Relu{}, Dropout{0.5}, fc8}), "conv1[relu,gradient] dropout0 fc8");
  EXPECT_EQ(folded({fc6, Relu{}, Dropout{0.5}, Dropout{0.5}, fc8}),
            "fc6[relu,gradient,dropout] dropout0' dropout1 fc8");
  const LayerPlan found = plan(network({fc6, Relu{}, Dropout{0.75}, fc8}), fusing());
  EXPECT_EQ(found.operations[0].gradient_factor, 4);
  PlanOptions evaluation = fusing();
  evaluation.training = false;
  EXPECT_EQ(text(plan(network({fc6, Relu{}, Dropout{0.5}, fc8}), evaluation)), "fc6[relu] fc8");
  PlanOptions elsewhere = fusing();
  elsewhere.own_relu_gradient = false;
  EXPECT_EQ(text(plan(network({fc6, Relu{}, Dropout{0.5}, fc8}), elsewhere)),
            "fc6[relu] gradient dropout0 fc8");
}

TEST(LayerPlan, WhatIsFusedIsAskedWithItsConstantsAndShape) {
  PlanOptions options = fusing();
  std::vector<Shape> asked;
  options.serves_fused_pool = [&](const FusedPool& pool, const Shape& input) {
    asked.push_back(input);
    EXPECT_EQ(pool.normalisation.value().k, norm.k);
    EXPECT_EQ(pool.pool.stride, 4);
    return false;
  };
  EXPECT_EQ(text(plan(network({conv1, Relu{}, norm, MaxPool{3, 4, {}}, fc8}), options)),
            "conv1[relu] norm pool gradient fc8");
  EXPECT_EQ(asked, (std::vector<Shape>{{8, 16, 16}}));
}

TEST(LayerPlan, OnlyTheFirstConvolutionsUnevenPaddingIsWrittenWithTheInput) {
  Convolution uneven = conv1;
  uneven.padding = {1, 2};
  PlanOptions options;
  EXPECT_EQ(plan(network({uneven, fc8}), options).input_padding, (Padding{}));
  options.pads_input = true;
  const LayerPlan found = plan(network({uneven, fc8}), options);
  EXPECT_EQ(found.input_padding, (Padding{1, 2}));
  EXPECT_EQ(text(found), "conv1[padded] fc8");
  EXPECT_EQ(plan(network({conv1, fc8}), options).input_padding, (Padding{}));
  EXPECT_EQ(text(plan(network({Dropout{0}, uneven, fc8}), options)), "conv1 fc8");
  EXPECT_EQ(text(plan(network({MaxPool{}, uneven, fc8}), options)), "pool conv1 fc8");
}

// Of conv1 of each network: 11 × 11 with stride 4 becomes 3 × 3 over 48 channels, 5 × 5 with stride 2
// over 12.
TEST(LayerPlan, TheInputComesInPatchesWhereThatServesTheFirstConvolution) {
  PlanOptions options;
  options.pads_input = options.patches_input = true;
  const std::map<std::string, Shape> inputs = {{"alexnet-owt", {48, 57, 57}},
                                               {"alexnet-padded", {48, 57, 57}},
                                               {"alexnet-cifar", {48, 10, 10}},
                                               {"alexnet-mini", {12, 34, 34}}};
  for (const std::string& name : network_names()) {
    SCOPED_TRACE(name);
    const NetSpec spec = make_network(name);
    const LayerPlan found = plan(spec, options);
    EXPECT_EQ(found.input, inputs.contains(name) ? inputs.at(name) : (Shape{48, 57, 57}));
    EXPECT_EQ(found.input_patch, name == "alexnet-mini" ? 2 : 4);
    const auto& first = std::get<Convolution>(spec.layers.front());
    EXPECT_EQ(found.input_padding, first.padding);
    EXPECT_EQ(found.operations.front().input_patch, found.input_patch);
    EXPECT_EQ(found.operations.front().input, spec.input);
    EXPECT_EQ(found.operations.at(1).input_patch, 1);
    EXPECT_EQ(plan(spec, {}).input, spec.input);
  }
}

TEST(LayerPlan, OtherConvolutionsTakeSinglePixels) {
  PlanOptions options;
  options.pads_input = options.patches_input = true;
  const auto first = [&](int kernel, int stride, Padding padding) {
    NetSpec spec = network({Convolution{"conv1", 8, kernel, stride, padding, 1}, fc8});
    spec.input = {3, 32, 32};
    return plan(spec, options);
  };
  EXPECT_EQ(text(first(11, 4, {1, 1})), "conv1[padded,patches] fc8");
  EXPECT_EQ(text(first(11, 4, {})), "conv1[patches] fc8");
  EXPECT_EQ(text(first(5, 1, {2, 2})), "conv1 fc8");   // nothing to put side by side
  EXPECT_EQ(text(first(11, 3, {1, 1})), "conv1 fc8");  // the input stage writes patches of 2 and 4
  EXPECT_EQ(text(first(1, 4, {})), "conv1 fc8");       // 48 channels, all but 3 for nothing
  EXPECT_EQ(text(plan(network({MaxPool{}, Convolution{"conv1", 8, 5, 2, {}, 1}, fc8}), options)),
            "pool conv1 fc8");
}

TEST(LayerPlan, TheLastLayerMakesTheScores) {
  const LayerPlan found = plan(make_network("alexnet"), fusing());
  for (const PlannedOperation& planned : found.operations)
    EXPECT_EQ(planned.scores, &planned == &found.operations.back()) << word(planned);
}

}  // namespace
}  // namespace convoy::test
