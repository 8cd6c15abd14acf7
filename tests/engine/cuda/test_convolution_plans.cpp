// Every way that the engine knows to compute a convolution, each pass by itself, with the channels of the
// real networks on small maps, against the double-precision reference.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/cuda/convolution_library.hpp"
#include "engine/cuda/kernel_test.hpp"
#include "engine/engine.hpp"
#include "engine/input_patches.hpp"
#include "model/networks.hpp"
#include "reference/reference_layers.hpp"

namespace convoy::cuda::test {
namespace {

using convoy::test::Tensor;

struct Case {
  int channels = 0, filters = 0, kernel = 0, stride = 1, padding = 0, groups = 1;

  friend bool operator==(const Case&, const Case&) = default;
  int side() const { return 2 * stride + kernel - 2 * padding; }  // leaves 3 × 3 places
  std::string name() const {
    return fmt::format("{}_to_{}_kernel_{}_stride_{}_padding_{}_groups_{}", channels, filters, kernel, stride,
                       padding, groups);
  }
};

// Every convolution of every network, the first over patches of its input too, and runs of channels that are
// no whole vectors. What is padded unevenly is padded before the library sees it.
std::vector<Case> cases() {
  std::vector<Case> result = {{9, 15, 3, 2, 1, 3}};
  const auto add = [&](const Case& one) {
    if (std::ranges::find(result, one) == result.end()) result.push_back(one);
  };
  for (const std::string& name : network_names()) {
    const NetSpec spec = make_network(name);
    int channels = spec.input.channels;
    for (const Layer& layer : spec.layers) {
      const auto* const c = std::get_if<Convolution>(&layer);
      if (c == nullptr) continue;
      const int padding = c->padding.before == c->padding.after ? c->padding.before : 0;
      add({channels, c->filters, c->kernel, c->stride, padding, c->groups});
      const int patch = channels == spec.input.channels ? patch_side(*c, spec.input) : 1;
      if (patch > 1) add({channels * patch * patch, c->filters, patched_kernel(c->kernel, patch), 1, 0, 1});
      channels = c->filters;
    }
  }
  return result;
}

// Multiples of 1/64 up to 1: exact in every format, so that products are exact too.
std::vector<double> random_values(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<double> values(count);
  for (double& value : values) value = (static_cast<int>(random() % 129) - 64) / 64.0;
  return values;
}

// From (row, channel, y, x) to the place in memory, and back.
std::vector<float> arranged(const std::vector<double>& canonical, const MapShape& shape) {
  std::vector<float> result(canonical.size());
  std::size_t i = 0;
  for (int row = 0; row < shape.rows; ++row)
    for (int channel = 0; channel < shape.channels; ++channel)
      for (int y = 0; y < shape.height; ++y)
        for (int x = 0; x < shape.width; ++x)
          result[index_in(shape, row, channel, y, x)] = static_cast<float>(canonical[i++]);
  return result;
}

class ConvolutionPlans : public testing::TestWithParam<std::tuple<Precision, Case>> {
 protected:
  static constexpr int rows = 2;

  void SetUp() override {
    const std::string refusal = precision_refusal(DeviceKind::cuda, precision());
    if (!refusal.empty()) GTEST_SKIP() << refusal;
    stream_ = make_stream();
    libraries_.emplace(stream_.get());
  }

  static Precision precision() { return std::get<0>(GetParam()); }
  static MapShape map(int map_rows, int channels, int side) {
    return {.rows = map_rows,
            .channels = channels,
            .height = side,
            .width = side,
            .layout = layout_of(precision()),
            .element = element_of(precision())};
  }

  static DeviceMemory on_device(const std::vector<float>& values, Element element) {
    const std::vector<std::byte> bytes = encode(values, element);
    DeviceMemory memory(bytes.size(), "a test");
    check(cudaMemcpy(memory.data(), bytes.data(), bytes.size(), cudaMemcpyHostToDevice), "a test");
    return memory;
  }
  static DeviceMemory on_device(const std::vector<float>& values) {
    return on_device(values, element_of(precision()));
  }

  // Runs every plan of a pass on NaN results (or, to add, on `start`).
  void expect_all(const LibraryConvolution& convolution, ConvolutionPass pass, ConvolutionOperands operands,
                  const std::vector<float>& expected, const std::vector<float>& start = {}) {
    const bool filter = pass == ConvolutionPass::backward_filter;
    const Element element = element_of(precision());
    double largest = 0;
    for (const float value : expected) largest = std::max(largest, std::abs(double{value}));
    std::vector<std::string> served;
    for (const bool deterministic : {true, false}) {
      for (const ConvolutionPlan& plan : convolution.plans(pass, deterministic)) {
        SCOPED_TRACE(plan.name);
        EXPECT_TRUE(plan.deterministic || !deterministic);
        if (std::ranges::find(served, plan.name) != served.end()) continue;
        const DeviceMemory result =
            on_device(start.empty() ? std::vector<float>(expected.size(), std::nanf("")) : start,
                      filter ? Element::float32 : element);
        operands.result = result.data();
        operands.add = !start.empty();
        if (!run(plan, operands)) continue;
        served.push_back(plan.name);
        std::vector<std::byte> bytes(result.size());
        check(cudaMemcpy(bytes.data(), result.data(), bytes.size(), cudaMemcpyDeviceToHost), "a test");
        const std::vector<float> found = decode(bytes, filter ? Element::float32 : element);
        double difference = 0;
        for (std::size_t i = 0; i < found.size(); ++i) {
          const double own = std::abs(double{found[i]} - double{expected[i]});
          difference = std::isnan(own) ? INFINITY : std::max(difference, own);
        }
        EXPECT_LE(difference / largest, tolerance(filter ? plan.gradient : element));
      }
    }
    expect_served(convolution, pass, served);
  }

  // Two roundings to the element, where bias and ReLU are a kernel of their own, or one for a filter's
  // gradient; sums of up to 3456 exact products in float32 are off by some √3456 roundings of their largest
  // partial sum. A plan whose gradient of weights is of float32 has no rounding to 16 bits in it.
  static double tolerance(Element element) { return 2 * rounding(element) + 0x1p-15; }

  bool run(const ConvolutionPlan& plan, ConvolutionOperands operands) {
    const std::optional<PreparedConvolution> prepared = plan.prepare();
    if (!prepared) return false;
    const DeviceMemory workspace(prepared->workspace_bytes, "a test");
    operands.workspace = workspace.data();
    const cudnnStatus_t status = prepared->run(operands);
    check(cudaStreamSynchronize(stream_.get()), "a test");
    return status == CUDNN_STATUS_SUCCESS;
  }

  // Which forms there must be. The library may refuse a graph that the emulated one serves, not the reverse.
  static void expect_served(const LibraryConvolution& convolution, ConvolutionPass pass,
                            const std::vector<std::string>& served) {
    const auto has = [&](const std::string& beginning, const std::string& end = "") {
      return std::ranges::any_of(served, [&](const std::string& name) {
        return name.starts_with(beginning) && name.ends_with(end);
      });
    };
    const bool grouped = convolution.shape().groups > 1;
    EXPECT_TRUE(has("legacy algorithm "));
    EXPECT_TRUE(!grouped || has("dense, legacy algorithm "));
    if (!emulated()) return;
    std::vector<std::string> forms = {""};
    if (grouped) {
      forms = {"", "dense, ", "slices, "};
      // The emulated legacy calls take slices of NCHW maps alone.
      EXPECT_TRUE(precision() != Precision::fp32 || has("slices, legacy algorithm "));
    }
    for (const std::string& form : forms) {
      SCOPED_TRACE(form);
      EXPECT_TRUE(has(form + "graph engine "));
      if (pass == ConvolutionPass::forward) {
        EXPECT_TRUE(has(form + "graph engine ", ", fused"));
      }
      if (pass == ConvolutionPass::backward_filter && element_of(precision()) != Element::float32) {
        EXPECT_TRUE(has(form + "graph engine ", ", float32"));
      }
    }
  }

  Stream stream_;
  std::optional<Libraries> libraries_;
};

TEST_P(ConvolutionPlans, AreAsTheReference) {
  const Case& layer = std::get<1>(GetParam());
  const Convolution definition{
      layer.name(), layer.filters, layer.kernel, layer.stride, {layer.padding, layer.padding}, layer.groups};
  constexpr int out = 3;
  const int side = layer.side();
  const ConvolutionShape shape{.input = map(rows, layer.channels, side),
                               .output = map(rows, layer.filters, out),
                               .kernel = layer.kernel,
                               .stride = layer.stride,
                               .padding = layer.padding,
                               .groups = layer.groups};
  const MapShape filter_shape = map(layer.filters, layer.channels / layer.groups, layer.kernel);
  Tensor input(rows, {layer.channels, side, side}), output(rows, {layer.filters, out, out});
  Tensor gradient = output, input_gradient = input;
  input.values = random_values(input.values.size(), 1);
  gradient.values = random_values(gradient.values.size(), 2);
  const auto filter = random_values(static_cast<std::size_t>(filter_shape.elements()), 3);
  const auto bias = random_values(static_cast<std::size_t>(layer.filters), 4);
  forward(definition, {filter.data(), bias.data()}, input, output);
  std::vector<double> filter_gradient(filter.size()), bias_gradient(bias.size());
  backward(definition, {filter.data(), bias.data()}, input, gradient, input_gradient,
           {filter_gradient.data(), bias_gradient.data()});

  const DeviceMemory input_data = on_device(arranged(input.values, shape.input));
  const DeviceMemory gradient_data = on_device(arranged(gradient.values, shape.output));
  const DeviceMemory filter_data = on_device(arranged(filter, filter_shape));
  const DeviceMemory bias_data = on_device({bias.begin(), bias.end()});
  for (const bool relu : {false, true}) {
    SCOPED_TRACE(relu);
    const LibraryConvolution convolution(*libraries_, definition.name, shape, precision(), relu);
    Tensor expected = output;
    if (relu) forward(Relu{}, output, expected);
    expect_all(convolution, ConvolutionPass::forward,
               {.first = input_data.data(), .second = filter_data.data(), .bias = bias_data.data()},
               arranged(expected.values, shape.output));
  }
  const LibraryConvolution convolution(*libraries_, definition.name, shape, precision(), true);
  expect_all(convolution, ConvolutionPass::backward_data,
             {.first = filter_data.data(), .second = gradient_data.data()},
             arranged(input_gradient.values, shape.input));
  const ConvolutionOperands operands{.first = input_data.data(), .second = gradient_data.data()};
  expect_all(convolution, ConvolutionPass::backward_filter, operands,
             arranged(filter_gradient, filter_shape));
  std::vector<double> sum = filter_gradient;
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += filter[i];
  expect_all(convolution, ConvolutionPass::backward_filter, operands, arranged(sum, filter_shape),
             arranged(filter, filter_shape));
}

INSTANTIATE_TEST_SUITE_P(All, ConvolutionPlans,
                         testing::Combine(testing::Values(Precision::fp32, Precision::tf32, Precision::bf16,
                                                          Precision::fp16),
                                          testing::ValuesIn(cases())),
                         [](const auto& each) {
                           return std::string(word_of(precision_words(), std::get<0>(each.param))) + "_" +
                                  std::get<1>(each.param).name();
                         });

}  // namespace
}  // namespace convoy::cuda::test
