// Every algorithm that a matrix product may use computes the same product; the tuner's bench on the device
// sees what they compute.
#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "engine/cuda/device_bench.hpp"
#include "engine/cuda/kernel_test.hpp"
#include "engine/cuda/matrix_product.hpp"
#include "engine/cuda/trial.hpp"

namespace convoy::cuda::test {
namespace {

class MatrixProducts : public KernelTest {
 protected:
  // Only where there is a device.
  const Libraries& libraries() {
    if (!libraries_) libraries_.emplace(stream());
    return *libraries_;
  }

 private:
  std::optional<Libraries> libraries_;
};

// Small whole numbers: products and sums up to 162 are exact in every format and order.
std::vector<float> whole_numbers(std::size_t count, unsigned seed) {
  std::vector<float> values(count);
  for (float& value : values) {
    seed = seed * 1664525 + 1013904223;
    value = static_cast<float>(seed >> 30) - 1;
  }
  return values;
}

std::vector<float> expected(const ProductShape& shape, const std::vector<float>& left,
                            const std::vector<float>& right, const std::vector<float>& bias, bool relu) {
  std::vector<float> result;
  for (int row = 0; row < shape.rows; ++row) {
    for (int column = 0; column < shape.columns; ++column) {
      float sum = bias.empty() ? 0 : bias[static_cast<std::size_t>(column)];
      for (int i = 0; i < shape.inner; ++i) {
        const int l = shape.transpose_left ? i * shape.rows + row : row * shape.inner + i;
        const int r = shape.transpose_right ? column * shape.inner + i : i * shape.columns + column;
        sum += left[static_cast<std::size_t>(l)] * right[static_cast<std::size_t>(r)];
      }
      result.push_back(relu ? std::max(sum, 0.0F) : sum);
    }
  }
  return result;
}

TEST_F(MatrixProducts, EveryAlgorithmIsAsTheDefinition) {
  struct Case {
    bool transpose_left, transpose_right, wide_result;
    ProductEpilogue epilogue;
  };
  // Forward, with and without ReLU; the gradients of weights and of inputs.
  const std::vector<Case> cases = {{false, true, false, ProductEpilogue::bias_relu},
                                   {false, true, true, ProductEpilogue::bias},
                                   {true, false, true, ProductEpilogue::none},
                                   {false, false, false, ProductEpilogue::none}};
  for (const auto& [element, tf32] : {std::pair{Element::float32, false},
                                      {Element::float32, true},
                                      {Element::bfloat16, false},
                                      {Element::float16, false}}) {
    for (const Case& one : cases) {
      const ProductShape shape{.rows = 16,
                               .columns = 24,
                               .inner = 40,
                               .transpose_left = one.transpose_left,
                               .transpose_right = one.transpose_right,
                               .operands = element,
                               .result = one.wide_result ? Element::float32 : element};
      MatrixProduct product(libraries(), "a product", shape, tf32, one.epilogue);
      const bool biased = one.epilogue != ProductEpilogue::none;
      const std::vector<float> left = whole_numbers(16 * 40, 1), right = whole_numbers(40 * 24, 2);
      const std::vector<float> bias = whole_numbers(biased ? 24 : 0, 3);
      const std::vector<float> wanted =
          expected(shape, left, right, bias, one.epilogue == ProductEpilogue::bias_relu);
      const DeviceElements on_left(left, element, stream()), on_right(right, element, stream());
      const DeviceElements on_bias(bias, shape.result, stream());
      ASSERT_GE(product.algorithms(), 1U);
      for (std::size_t i = 0; i < product.algorithms(); ++i) {
        product.use_algorithm(i);
        const DeviceElements result(std::vector<float>(wanted.size(), NAN), shape.result, stream());
        const DeviceMemory workspace(product.workspace_bytes(), "a test");
        product.run(on_left.data(), on_right.data(), on_bias.data(), result.data(), false, workspace.data());
        EXPECT_EQ(result.read(), wanted) << "algorithm " << i;
      }
    }
  }
}

TEST_F(MatrixProducts, TheTunerMeasuresThem) {
  const ProductShape shape{.rows = 16, .columns = 24, .inner = 40, .transpose_right = true};
  MatrixProduct product(libraries(), "fc6, forward", shape, false, ProductEpilogue::bias_relu);
  ASSERT_GT(product.algorithms(), 1U);
  Tuner tuner({.deterministic = false});
  product.tune(tuner, "fc6, forward");
  ASSERT_EQ(tuner.decisions().size(), 1U);
  const Decision& decision = tuner.decisions().front();
  EXPECT_EQ(decision.source, DecisionSource::measured);
  ASSERT_EQ(decision.trials.size(), product.algorithms());
  for (const Trial& trial : decision.trials) {
    EXPECT_TRUE(trial.outcome == TrialOutcome::chosen || trial.outcome == TrialOutcome::slower) << trial.name;
    EXPECT_GT(trial.milliseconds, 0) << trial.name;
  }
}

// A result of more values than are looked at: a place that was left unwritten at its end, and a whole row.
TEST_F(MatrixProducts, TheBenchSeesWhatAResultLacks) {
  constexpr std::size_t rows = 512, columns = 1000;
  for (const Element element : {Element::float32, Element::bfloat16, Element::float16}) {
    const std::size_t size = bytes_of(element);
    const DeviceMemory input(4096 * size, "a test"), result(rows * columns * size, "a test");
    DeviceBench bench(stream(), {{input.data(), input.size(), element}},
                      {result.data(), result.size(), element});
    const auto values_after = [&](std::size_t begin, std::size_t end) {  // written: all but [begin, end)
      bench.prepare();
      fill_with_trial_values(result.data(), begin * size, element, stream());
      fill_with_trial_values(result.data() + end * size, (rows * columns - end) * size, element, stream());
      return bench.result();
    };
    const auto missing = [](const std::vector<float>& values) {
      return std::ranges::count_if(values, [](float value) { return std::isnan(value); });
    };
    const std::vector<float> whole = values_after(0, 0);
    EXPECT_EQ(missing(whole), 0);
    for (const float value : whole) ASSERT_TRUE(std::abs(value) >= 0.5F && std::abs(value) < 1) << value;
    EXPECT_EQ(values_after(0, 0), whole);
    EXPECT_GT(missing(values_after(rows * columns - 1, rows * columns)), 0);
    EXPECT_GT(missing(values_after(columns * 100, columns * 101)), 0);
  }
}

}  // namespace
}  // namespace convoy::cuda::test
