// Every kind of layer alone, with every padding, group and stride of the family, on every target: forward in
// both modes, all activations, and every gradient. A layer under test stands behind a convolution where it
// has no parameters itself, so that the gradient it passes on is checked.
#include <gtest/gtest.h>

#include "engine/engine_under_test.hpp"

namespace convoy::test {
namespace {

struct LayerCase {
  const char* name;
  int side;
  std::vector<Layer> layers;
};

std::vector<LayerCase> layer_cases() {
  const auto conv = [](const char* name, int filters, int kernel, int stride, Padding padding,
                       int groups = 1) {
    return Convolution{name, filters, kernel, stride, padding, groups};
  };
  const Layer first = conv("conv1", 16, 3, 1, {1, 1}), odd = conv("conv1", 6, 3, 1, {1, 1});
  const Layer last = FullyConnected{"fc8", 11};
  const LocalResponseNormalisation strong{5, 2, 0.5F, 0.75F}, caffe{5, 1, 0.8F, 0.75F};
  return {
      {"conv1_of_alexnet", 47, {conv("conv1", 16, 11, 4, {0, 0}), last}},
      {"conv1_padded", 46, {conv("conv1", 24, 11, 4, {2, 2}), last}},
      {"conv1_of_cifar", 32, {conv("conv1", 16, 11, 4, {3, 4}), last}},
      {"conv1_of_2012", 48, {conv("conv1", 16, 11, 4, {0, 3}), last}},
      {"conv1_of_mini", 20, {conv("conv1", 12, 5, 2, {2, 2}), last}},
      {"conv2", 9, {first, conv("conv2", 32, 5, 1, {2, 2}), last}},
      {"conv2_grouped", 9, {first, conv("conv2", 32, 5, 1, {2, 2}, 2), last}},
      {"conv2_grouped_odd", 7, {odd, conv("conv2", 10, 5, 1, {2, 2}, 2), last}},
      {"conv2_map_below_kernel", 4, {first, conv("conv2", 16, 5, 1, {2, 2}), last}},
      {"conv3", 7, {first, conv("conv3", 24, 3, 1, {1, 1}), last}},
      {"conv3_map_of_two", 2, {odd, conv("conv3", 7, 3, 1, {1, 1}), last}},
      {"conv4_grouped", 6, {first, conv("conv4", 48, 3, 1, {1, 1}, 2), last}},
      {"convolutions_in_a_row", 6, {first, Relu{}, conv("conv4", 20, 3, 1, {1, 1}), Relu{}, last}},
      {"relu", 6, {first, Relu{}, last}},
      {"relu_of_fully_connected", 4, {first, FullyConnected{"fc6", 24}, Relu{}, last}},
      {"normalisation", 6, {first, strong, last}},
      {"normalisation_of_few", 5, {odd, strong, last}},
      {"relu_normalisation_pool", 9, {first, Relu{}, strong, MaxPool{3, 2, {0, 0}}, last}},
      {"relu_pool_normalisation", 9, {first, Relu{}, MaxPool{3, 2, {0, 0}}, caffe, last}},
      {"pool_relu", 9, {first, MaxPool{3, 2, {0, 0}}, Relu{}, last}},
      {"pool", 9, {first, MaxPool{3, 2, {0, 0}}, last}},
      {"pool_leaves_a_rest", 8, {odd, MaxPool{3, 2, {0, 0}}, last}},
      {"pool_same", 8, {first, MaxPool{3, 2, {0, 1}}, last}},
      {"pool_same_of_two", 2, {odd, MaxPool{3, 2, {0, 1}}, last}},
      {"pool_of_input", 9, {MaxPool{3, 2, {0, 0}}, last}},
      {"adaptive_pool_identity", 6, {first, AdaptiveAveragePool{6}, last}},
      {"adaptive_pool_7_to_6", 7, {first, AdaptiveAveragePool{6}, last}},
      {"adaptive_pool_13_to_6", 13, {odd, AdaptiveAveragePool{6}, last}},
      {"adaptive_pool_12_to_6", 12, {odd, AdaptiveAveragePool{6}, last}},
      {"adaptive_pool_4_to_6", 4, {first, AdaptiveAveragePool{6}, last}},
      {"adaptive_pool_1_to_6", 1, {odd, AdaptiveAveragePool{6}, last}},
      {"fully_connected_alone", 5, {last}},
      {"fully_connected_of_maps", 5, {odd, FullyConnected{"fc6", 13}, FullyConnected{"fc7", 32}, last}},
      {"fully_connected_of_blocked_maps", 6, {first, Relu{}, FullyConnected{"fc6", 64}, Relu{}, last}},
      {"fully_connected_of_one_pixel", 1, {first, FullyConnected{"fc6", 17}, last}},
      {"one_class", 3, {odd, FullyConnected{"fc8", 1}}},
      {"dropout_of_maps", 5, {odd, Dropout{0.5}, FullyConnected{"fc6", 33}, last}},
      {"dropout_of_blocked_maps", 6, {first, Relu{}, Dropout{0.3}, FullyConnected{"fc6", 64}, last}},
      {"dropouts_after_relu",
       4,
       {odd, FullyConnected{"fc6", 30}, Relu{}, Dropout{0.5}, FullyConnected{"fc7", 21}, Relu{}, Dropout{0.2},
        last}},
      {"dropout_of_nothing", 4, {odd, FullyConnected{"fc6", 30}, Relu{}, Dropout{0}, last}},
      {"dropout_of_input", 4, {Dropout{0.5}, last}},
  };
}

struct Parameters {
  Target target;
  LayerCase layer;
};
std::ostream& operator<<(std::ostream& out, const Parameters& each) {
  return out << each.target << " " << each.layer.name;
}

std::vector<Parameters> all_cases() {
  std::vector<Parameters> result;
  for (const Target& target : available_targets()) {
    for (const LayerCase& layer : layer_cases()) result.push_back({target, layer});
  }
  return result;
}

class EngineLayers : public testing::TestWithParam<Parameters> {
 protected:
  EngineLayers() {
    spec_.name = GetParam().layer.name;
    spec_.input = {3, GetParam().layer.side, GetParam().layer.side};
    spec_.layers = GetParam().layer.layers;
    input_ = test_input(spec_, GetParam().layer.side + 3);
    batch_ = random_batch(input_, class_count(spec_), 5, TransformKind::crop_and_mirror, 21);
    batch_.first_position = 7;
    context_ = {1234, 3, 0.2};
    engine_ = std::make_unique<EngineUnderTest>(GetParam().target, spec_, input_);
  }

  NetSpec spec_;
  InputSpec input_;
  TestBatch batch_;
  PassContext context_;
  std::unique_ptr<EngineUnderTest> engine_;
};

INSTANTIATE_TEST_SUITE_P(All, EngineLayers, testing::ValuesIn(all_cases()), [](const auto& each) {
  return each.param.target.name() + "_" + each.param.layer.name;
});

TEST_P(EngineLayers, TrainAsTheReference) {
  const auto program = engine_->compile(5);
  expect_same_forward(*engine_, *program, batch_, Mode::training, context_);
  expect_same_backward(*engine_, *program, context_);
}

TEST_P(EngineLayers, EvaluateAsTheReference) {
  const auto program = engine_->compile(5, Mode::evaluation);
  expect_same_forward(*engine_, *program, batch_, Mode::evaluation, context_);
  for (std::size_t i = 0; i < spec_.layers.size(); ++i) {
    const Tensor& expected = engine_->reference().activation(static_cast<int>(i));
    std::vector<float> found(expected.values.size());
    program->read_activation(static_cast<int>(i), found);
    EXPECT_LE(relative_error(found, expected.values), engine_->tolerance().forward) << "after layer " << i;
  }
}

}  // namespace
}  // namespace convoy::test
