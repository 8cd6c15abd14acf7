// The oracle's backward passes against central differences of its own loss, for every kind of layer. A layer
// under test stands behind a convolution, so that the gradient it passes on is checked too.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "model/networks.hpp"
#include "reference/narrow.hpp"
#include "reference/random_batch.hpp"
#include "reference/reference_network.hpp"

namespace convoy::test {
namespace {

struct Case {
  const char* name;
  int side;
  std::vector<Layer> layers;
};

std::ostream& operator<<(std::ostream& out, const Case& each) {
  return out << each.name;
}

class Gradients : public testing::TestWithParam<Case> {};

Layer first() {
  return Convolution{"conv1", 4, 3, 1, {1, 1}, 1};
}
Layer last() {
  return FullyConnected{"fc8", 5};
}

INSTANTIATE_TEST_SUITE_P(
    Layers, Gradients,
    testing::Values(
        Case{"convolution", 6, {first(), Convolution{"conv2", 3, 3, 1, {1, 1}, 1}, last()}},
        Case{"strided_convolution", 9, {first(), Convolution{"conv2", 3, 4, 3, {0, 2}, 1}, last()}},
        Case{"grouped_convolution", 6, {first(), Convolution{"conv2", 6, 5, 1, {2, 2}, 2}, last()}},
        Case{"relu", 6, {first(), Relu{}, last()}},
        Case{"normalisation", 4, {first(), LocalResponseNormalisation{5, 2, 0.5F, 0.75F}, last()}},
        Case{"normalisation_of_three", 4, {first(), LocalResponseNormalisation{3, 1, 2, 0.5F}, last()}},
        Case{"max_pool", 7, {first(), MaxPool{3, 2, {0, 0}}, last()}},
        Case{"padded_max_pool", 6, {first(), MaxPool{3, 2, {0, 1}}, last()}},
        Case{"adaptive_pool_up", 4, {first(), AdaptiveAveragePool{6}, last()}},
        Case{"adaptive_pool_down", 8, {first(), AdaptiveAveragePool{3}, last()}},
        Case{"fully_connected", 4, {first(), FullyConnected{"fc6", 7}, last()}},
        Case{"dropout", 4, {first(), Dropout{0.5}, FullyConnected{"fc6", 7}, Dropout{0.3}, last()}}),
    [](const auto& each) { return std::string(each.param.name); });

double loss(ReferenceNetwork& network, const TestBatch& batch, const PassContext& context) {
  network.forward(batch.view(), Mode::training, context);
  return network.metrics().loss * context.gradient_scale;
}

// Checks up to about `samples` elements of every tensor. With h = 1e-6 the difference's error is about h² =
// 1e-12 times the third derivative plus 1e-16 / h; 1e-7 leaves room for both. A kink (ReLU, maximum) within h
// of a value would show: the seeds have none.
void expect_gradients_of_loss(ReferenceNetwork& network, const TestBatch& batch, const PassContext& context,
                              std::size_t samples) {
  loss(network, batch, context);
  network.backward(context.gradient_scale, false);
  const std::vector<double> gradients = network.gradients();
  for (const Parameter& parameter : network.table().parameters()) {
    double largest = 0;
    const std::size_t stride = std::max<std::size_t>(1, parameter.elements / samples | 1);
    for (std::size_t e = 0; e < parameter.elements; e += stride) {
      double& value = network.parameters()[parameter.offset + e];
      const double kept = value, h = 1e-6;
      value = kept + h;
      const double above = loss(network, batch, context);
      value = kept - h;
      const double below = loss(network, batch, context);
      value = kept;
      const double gradient = gradients[parameter.offset + e];
      EXPECT_NEAR(gradient, (above - below) / (2 * h), 1e-7 * std::max(1.0, std::abs(gradient)))
          << parameter.path() << " element " << e;
      largest = std::max(largest, std::abs(gradient));
    }
    EXPECT_GT(largest, 1e-4) << parameter.path() << ": a gradient of nothing proves nothing";
  }
}

TEST_P(Gradients, AreThoseOfTheLoss) {
  NetSpec spec;
  spec.name = GetParam().name;
  spec.input = {3, GetParam().side, GetParam().side};
  spec.layers = GetParam().layers;
  const InputSpec input = test_input(spec, GetParam().side + 2);
  ReferenceNetwork network(spec, input);
  network.set_parameters(random_parameters(network.table(), 3));
  TestBatch batch = random_batch(input, 5, 3, TransformKind::warp, 11);
  batch.first_position = 40;
  PassContext context;
  context.seed = 9;
  context.step = 17;
  context.gradient_scale = 0.25;
  expect_gradients_of_loss(network, batch, context, 30);
}

TEST(NarrowNetworks, GradientsAreThoseOfTheLoss) {
  for (const char* name : {"alexnet-mini", "alexnet-cifar"}) {
    SCOPED_TRACE(name);
    const NetSpec spec = narrow(make_network(name), 16, 7);
    const InputSpec input = test_input(spec, spec.stored_side);
    ReferenceNetwork network(spec, input);
    network.set_parameters(random_parameters(network.table(), 3));
    PassContext context;
    context.seed = 9;
    context.gradient_scale = 2;
    expect_gradients_of_loss(network, random_batch(input, 7, 2, TransformKind::centre, 12), context, 16);
  }
}

TEST(ReferenceNetwork, GradientsAddAndScale) {
  const NetSpec spec = narrow(make_network("alexnet-cifar"), 16, 7);
  const InputSpec input = test_input(spec, 32);
  ReferenceNetwork network(spec, input);
  network.set_parameters(random_parameters(network.table(), 3));
  const TestBatch batch = random_batch(input, 7, 4, TransformKind::centre, 12);
  const PassContext context{9, 0, 1};
  network.forward(batch.view(), Mode::training, context);
  network.backward(0.25, false);
  const std::vector<double> whole = network.gradients();
  for (int half : {0, 1}) {
    network.forward(batch.part(2 * half, 2).view(), Mode::training, context);
    network.backward(0.25, half == 1);
  }
  double largest = 0;
  for (std::size_t e = 0; e < whole.size(); ++e) {
    EXPECT_NEAR(network.gradients()[e], whole[e], 1e-12);
    largest = std::max(largest, std::abs(whole[e]));
  }
  EXPECT_GT(largest, 1e-3);
}

TEST(ReferenceNetwork, CountsRankTiesByClass) {
  NetSpec spec;
  spec.name = "scores";
  spec.input = {3, 1, 1};
  spec.layers = {FullyConnected{"fc8", 7}};
  ReferenceNetwork network(spec, test_input(spec, 1));
  // Scores are the biases: 1 1 1 0 0 0 0.
  const std::size_t bias = network.table().find("fc8", ParameterKind::bias).offset;
  for (std::size_t c = 0; c < 3; ++c) network.parameters()[bias + c] = 1;
  const Tensor in(7, spec.input);
  const std::vector<std::int32_t> labels = {0, 1, 2, 3, 4, 5, 6};
  network.forward(in, labels, Mode::evaluation, {});
  const BatchMetrics metrics = network.metrics();
  EXPECT_EQ(metrics.samples, 7);
  EXPECT_EQ(metrics.top1, 1);  // class 0 alone
  EXPECT_EQ(metrics.top5, 5);  // classes 0 … 4
  const double sum = 3 * std::exp(1.0) + 4;
  EXPECT_NEAR(metrics.loss, 7 * std::log(sum) - 3, 1e-12);
  EXPECT_NEAR(network.probabilities()[0], std::exp(1.0) / sum, 1e-15);
}

}  // namespace
}  // namespace convoy::test
