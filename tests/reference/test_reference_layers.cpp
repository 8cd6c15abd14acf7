// The oracle's forward passes against values worked out by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "reference/reference_layers.hpp"

namespace convoy::test {
namespace {

Tensor tensor(Shape shape, std::vector<double> values) {
  Tensor result(1, shape);
  EXPECT_EQ(result.values.size(), values.size());
  result.values = std::move(values);
  return result;
}

void expect_values(const Tensor& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.values.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found.values[i], expected[i], 1e-12) << i;
}

TEST(ReferenceConvolution, PaddingBeforeAndAfterDiffer) {
  const Tensor in = tensor({1, 2, 2}, {1, 2, 3, 4});
  const std::vector<double> weight = {1, 10, 100, 1000}, bias = {0.5};
  // One row of zeros above and one column of zeros to the left, none below or to the right.
  Tensor out(1, {1, 2, 2});
  forward(Convolution{"c", 1, 2, 1, {1, 0}, 1}, {weight.data(), bias.data()}, in, out);
  expect_values(out, {1000.5, 2100.5, 3010.5, 4321.5});
  forward(Convolution{"c", 1, 2, 1, {0, 1}, 1}, {weight.data(), bias.data()}, in, out);
  expect_values(out, {4321.5, 402.5, 43.5, 4.5});
}

TEST(ReferenceConvolution, GroupsReadTheirOwnChannels) {
  const Tensor in = tensor({2, 1, 2}, {1, 2, 3, 4});
  const std::vector<double> weight = {10, 100}, bias = {1, 2};
  Tensor out(1, {2, 1, 2});
  forward(Convolution{"c", 2, 1, 1, {}, 2}, {weight.data(), bias.data()}, in, out);
  expect_values(out, {11, 21, 302, 402});
}

TEST(ReferenceConvolution, StrideSkips) {
  const Tensor in = tensor({1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  const std::vector<double> weight = {2}, bias = {0};
  Tensor out(1, {1, 2, 2});
  forward(Convolution{"c", 1, 1, 2, {}, 1}, {weight.data(), bias.data()}, in, out);
  expect_values(out, {2, 6, 14, 18});
}

TEST(ReferenceNormalisation, DividesAlphaBySizeAndStopsAtTheEnds) {
  const Tensor in = tensor({4, 1, 1}, {1, 2, 3, 4});
  const LocalResponseNormalisation layer{3, 2, 0.6F, 0.75F};
  Tensor out(1, in.shape);
  forward(layer, in, out);
  const double share = double{layer.alpha} / 3;
  const auto expected = [&](double a, double squares) { return a / std::pow(2 + share * squares, 0.75); };
  expect_values(out,
                {expected(1, 1 + 4), expected(2, 1 + 4 + 9), expected(3, 4 + 9 + 16), expected(4, 9 + 16)});
}

TEST(ReferenceMaxPool, PaddingNeverWinsAndTheFirstMaximumTakesTheGradient) {
  const Tensor in = tensor({1, 2, 2}, {-5, -5, -7, -6});
  const MaxPool layer{3, 2, {0, 1}};
  Tensor out(1, {1, 1, 1});
  forward(layer, in, out);
  expect_values(out, {-5});
  Tensor in_gradient(1, in.shape);
  backward(layer, in, tensor({1, 1, 1}, {3}), in_gradient);
  expect_values(in_gradient, {3, 0, 0, 0});
}

TEST(ReferenceMaxPool, OverlappingWindowsAddTheirGradients) {
  const Tensor in = tensor({1, 1, 5}, {0, 1, 9, 2, 3});
  const MaxPool layer{3, 2, {1, 1}};
  Tensor out(1, {1, 1, 3});
  forward(layer, in, out);
  expect_values(out, {1, 9, 3});
  Tensor in_gradient(1, in.shape);
  backward(layer, in, tensor({1, 1, 3}, {10, 20, 30}), in_gradient);
  expect_values(in_gradient, {0, 10, 20, 0, 30});
}

TEST(ReferenceAdaptivePool, WindowsOverlapWhereTheSidesDoNotDivide) {
  const Tensor in = tensor({1, 1, 5}, {1, 2, 3, 4, 5});
  Tensor out(1, {1, 3, 3});
  forward(AdaptiveAveragePool{3}, in, out);
  // Columns [0, 2), [1, 4), [3, 5); the one row three times.
  expect_values(out, {1.5, 3, 4.5, 1.5, 3, 4.5, 1.5, 3, 4.5});
  Tensor same(1, in.shape);
  const Tensor square = tensor({1, 2, 2}, {1, 2, 3, 4});
  Tensor identity(1, square.shape);
  forward(AdaptiveAveragePool{2}, square, identity);
  expect_values(identity, square.values);
}

TEST(ReferenceDropout, DropsTheShareAskedForAndScalesTheRest) {
  Tensor in(4, {100, 10, 10});
  in.values.assign(in.values.size(), 1);
  Tensor out(4, in.shape);
  DropoutBits bits;
  bits.seed = 5;
  bits.threshold = dropout_threshold(0.25);
  apply_dropout(Dropout{0.25}, bits, 0, in, out);
  double dropped = 0;
  for (const double value : out.values) {
    if (value == 0) {
      ++dropped;
    } else {
      EXPECT_DOUBLE_EQ(value, 4.0 / 3);
    }
  }
  EXPECT_NEAR(dropped / 40000, 0.25, 4 * std::sqrt(0.25 * 0.75 / 40000));

  // Row 0 at position 2 has the mask that row 2 has at position 0.
  Tensor moved(4, in.shape);
  apply_dropout(Dropout{0.25}, bits, 2, in, moved);
  EXPECT_TRUE(std::equal(moved.sample(0), moved.sample(1), out.sample(2)));
  EXPECT_FALSE(std::equal(moved.sample(0), moved.sample(1), out.sample(0)));
}

}  // namespace
}  // namespace convoy::test
