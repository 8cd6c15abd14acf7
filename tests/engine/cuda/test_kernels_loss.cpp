// Loss, ranks and their gradient against the CPU's row function.
#include <limits>

#include "engine/cuda/kernel_test.hpp"
#include "engine/cuda/kernels.hpp"
#include "engine/loss_arithmetic.hpp"

namespace convoy::cuda::test {
namespace {

class LossKernels : public KernelTest {
 protected:
  struct Result {
    std::vector<float> probabilities;
    std::vector<DeviceRowLoss> rows;
    MetricSums sums;
  };

  // Forward over `labels.size()` rows, of which `there` are present; sums begin with those of an earlier
  // pass. `gradient`: wanted too.
  Result forward(const std::vector<float>& scores, const std::vector<std::int32_t>& labels, int there,
                 int classes, const LossGradient& gradient = {}) {
    const int batch = static_cast<int>(labels.size());
    PassParameters parameters;
    parameters.rows = there;
    parameters.gradient_scale = gradient_scale;
    const auto pass = pass_of(parameters);
    DeviceArray<float> device_scores(scores, stream()), probabilities(scores.size(), stream());
    DeviceArray<std::int32_t> device_labels(labels, stream());
    DeviceArray<DeviceRowLoss> row_losses(labels.size(), stream());
    DeviceArray<MetricSums> sums(std::vector<MetricSums>{earlier}, stream());
    loss(stream(), device_scores.data(), device_labels.data(), batch, classes, pass.data(),
         probabilities.data(), row_losses.data(), sums.data(), gradient);
    return {probabilities.read(), row_losses.read(), sums.read()[0]};
  }

  static constexpr MetricSums earlier{100.0, 3, 5, 8};
  static constexpr float gradient_scale = 1.0F / 12;
};

struct Expected {
  std::vector<double> probabilities;
  MetricSums sums;
};

Expected on_the_host(const std::vector<float>& scores, const std::vector<std::int32_t>& labels, int there,
                     int classes, MetricSums sums) {
  std::vector<float> probabilities(scores.size(), 0.0F);
  for (int row = 0; row < there; ++row) {
    const RowLoss loss = softmax_row(scores.data() + std::ptrdiff_t{row} * classes, classes,
                                     labels[static_cast<std::size_t>(row)],
                                     probabilities.data() + std::ptrdiff_t{row} * classes);
    sums.loss += loss.loss;
    sums.top1 += loss.rank < 1 ? 1 : 0;
    sums.top5 += loss.rank < 5 ? 1 : 0;
    ++sums.samples;
  }
  return {{probabilities.begin(), probabilities.end()}, sums};
}

std::vector<std::int32_t> some_labels(int rows, int classes) {
  std::mt19937 bits(3);
  std::vector<std::int32_t> labels(static_cast<std::size_t>(rows));
  for (std::int32_t& label : labels)
    label = static_cast<std::int32_t>(bits() % static_cast<unsigned>(classes));
  return labels;
}

void expect_same(const MetricSums& sums, const MetricSums& expected) {
  EXPECT_NEAR(sums.loss, expected.loss, 1e-6 * std::abs(expected.loss));  // exp differs in its last bits
  EXPECT_EQ(sums.top1, expected.top1);
  EXPECT_EQ(sums.top5, expected.top5);
  EXPECT_EQ(sums.samples, expected.samples);
}

TEST_F(LossKernels, ForwardIsTheRowFunctionOfTheCpu) {
  struct Case {
    int batch, there, classes;
    float spread;
  };
  for (const Case& c : {Case{5, 5, 10, 3}, Case{4, 2, 1000, 2}, Case{3, 0, 10, 1}, Case{1, 1, 1, 1},
                        Case{700, 650, 3, 1}, Case{6, 5, 257, 5000}, Case{2, 2, 31, 0}}) {
    SCOPED_TRACE(std::to_string(c.batch) + " rows, " + std::to_string(c.classes) + " classes");
    const auto scores = random_values(std::size_t(c.batch) * std::size_t(c.classes), c.spread);
    const auto labels = some_labels(c.batch, c.classes);
    const Result result = forward(scores, labels, c.there, c.classes);
    const Expected expected = on_the_host(scores, labels, c.there, c.classes, earlier);
    // Two roundings beside the differing exponential (2 units).
    expect_close(result.probabilities, expected.probabilities, 8 * 0x1p-24, 1e-37);
    expect_same(result.sums, expected.sums);
  }
}

TEST_F(LossKernels, EqualScoresRankByIndex) {
  const std::vector<float> scores(3 * 7, 2.0F);
  const Result result = forward(scores, {0, 4, 5}, 3, 7);
  EXPECT_EQ(result.sums.top1, earlier.top1 + 1);
  EXPECT_EQ(result.sums.top5, earlier.top5 + 2);
}

TEST_F(LossKernels, ScoresThatAreNotNumbersAreNeverRight) {
  const float bad = std::numeric_limits<float>::quiet_NaN(), huge = std::numeric_limits<float>::infinity();
  for (const float value : {bad, huge}) {
    for (const std::size_t place : {0, 2, 39}) {
      std::vector<float> scores(40, 0.0F);
      scores[1] = 5;
      scores[place] = value;
      const Result result = forward(scores, {1}, 1, 40);
      EXPECT_TRUE(std::isnan(result.sums.loss));
      EXPECT_EQ(result.sums.top1, earlier.top1);
      EXPECT_TRUE(std::isnan(result.probabilities[place]));
    }
  }
}

TEST_F(LossKernels, LabelsOutsideTheClassesMakeTheLossNaN) {
  for (const std::int32_t label : {-1, 10, 1 << 30}) {
    const Result result = forward(random_values(10, 1), {label}, 1, 10);
    EXPECT_TRUE(std::isnan(result.sums.loss));
    EXPECT_EQ(result.sums.top1, earlier.top1) << "the row must not count as right";
    EXPECT_EQ(result.sums.top5, earlier.top5);
    EXPECT_EQ(result.sums.samples, earlier.samples + 1);
  }
}

TEST_F(LossKernels, HugeScoresGiveAFiniteLoss) {
  std::vector<float> scores(10, -3e38F);
  scores[4] = 3e38F;
  const Result right = forward(scores, {4}, 1, 10);
  EXPECT_EQ(right.sums.loss, earlier.loss);
  const Result wrong = forward({0, 300, 0}, {0}, 1, 3);
  EXPECT_NEAR(wrong.sums.loss, earlier.loss + 300, 1e-9);
  EXPECT_EQ(wrong.probabilities[0], 0);
}

TEST_F(LossKernels, TheGradientComesWithTheLoss) {
  struct Case {
    int batch, there, classes;
  };
  for (const Case& c : {Case{5, 5, 10}, Case{4, 2, 1000}, Case{3, 0, 10}, Case{2, 2, 7}}) {
    const auto scores = random_values(std::size_t(c.batch) * std::size_t(c.classes), 3);
    const auto labels = some_labels(c.batch, c.classes);
    const Result without = forward(scores, labels, c.there, c.classes);
    DeviceArray<LossScaleState> loss_scale(std::vector<LossScaleState>{{512, 1, 0}}, stream());
    for (const Element element : all_elements) {
      SCOPED_TRACE(name_of(element));
      const DeviceElements gradient(scores.size(), element, stream());
      const Result with =
          forward(scores, labels, c.there, c.classes, {gradient.data(), element, loss_scale.data()});
      EXPECT_EQ(with.probabilities, without.probabilities);
      EXPECT_EQ(with.sums.loss, without.sums.loss);
      EXPECT_EQ(with.sums.top5, without.sums.top5);
      // From the device's own probabilities: the same bits.
      std::vector<double> expected(scores.size(), 0.0);
      for (std::size_t i = 0; i < std::size_t(c.there) * std::size_t(c.classes); ++i) {
        const bool truth = labels[i / std::size_t(c.classes)] == static_cast<int>(i % std::size_t(c.classes));
        expected[i] = rounded(score_gradient(without.probabilities[i], truth, gradient_scale * 512), element);
      }
      expect_close(gradient.read(), expected, 0, 0);
    }
  }
}

// Sums of more rows than a block has threads: in the order of the rows, to the bit.
TEST_F(LossKernels, ManyRowsAreAddedInOrder) {
  constexpr int classes = 3, batch = 600;
  for (const int there : {600, 517, 256}) {
    SCOPED_TRACE(there);
    const auto scores = random_values(std::size_t(batch) * classes, 3);
    const auto labels = some_labels(batch, classes);
    const Result result = forward(scores, labels, there, classes);
    MetricSums expected = earlier;
    for (int row = 0; row < there; ++row) {
      const DeviceRowLoss& each = result.rows[static_cast<std::size_t>(row)];
      expected.loss += each.loss;
      expected.top1 += each.rank < 1 ? 1 : 0;
      expected.top5 += each.rank < 5 ? 1 : 0;
    }
    EXPECT_EQ(result.sums.loss, expected.loss);
    EXPECT_EQ(result.sums.top1, expected.top1);
    EXPECT_EQ(result.sums.top5, expected.top5);
    EXPECT_EQ(result.sums.samples, earlier.samples + there);
  }
}

}  // namespace
}  // namespace convoy::cuda::test
