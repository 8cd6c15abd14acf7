// The oracle's optimisers against two updates of one weight worked out by hand.
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "reference/reference_optimizer.hpp"

namespace convoy::test {
namespace {

class OneWeight : public testing::Test {
 protected:
  // A network of one weight and one bias; both get the same gradient, the bias neither decay nor half the
  // rate.
  OneWeight() {
    spec_.name = "one";
    spec_.input = {1, 1, 1};
    spec_.layers = {FullyConnected{"fc8", 1}};
  }

  void run(OptimizerSettings settings, double gradient1, double gradient2) {
    const ParameterTable table(spec_);
    ReferenceOptimizer optimizer(settings, table);
    std::vector<double> parameters(table.size()), gradients(table.size());
    parameters[0] = parameters[64] = 2;
    const std::array rates = {TensorRate{0.5F, 0.25F}, TensorRate{1, 0}};
    for (const auto& [number, gradient] : {std::pair{1, gradient1}, std::pair{2, gradient2}}) {
      gradients[0] = gradients[64] = 4 * gradient;
      EXPECT_NEAR(optimizer.update({number, 0.25F, rates}, gradients, parameters),
                  std::sqrt(2.0) * std::abs(gradient), 1e-12);
    }
    weight_ = parameters[0];
    bias_ = parameters[64];
  }

  NetSpec spec_;
  double weight_ = 0, bias_ = 0;
};

TEST_F(OneWeight, Sgd) {
  run({OptimizerRule::sgd, 0.5F}, 1, 3);
  // weight: v = 1 + 0.5, w = 2 − 0.75; v = 0.75 + 3 + 0.3125, w = 1.25 − 2.03125
  EXPECT_NEAR(weight_, -0.78125, 1e-12);
  // bias: v = 1, w = 1; v = 0.5 + 3, w = 1 − 3.5
  EXPECT_NEAR(bias_, -2.5, 1e-12);
}

TEST_F(OneWeight, SgdCaffe) {
  run({OptimizerRule::sgd_caffe, 0.5F}, 1, 3);
  // weight: v = −0.25 − 0.5, w = 1.25; v = −0.375 − 0.15625 − 1.5, w = 1.25 − 2.03125
  EXPECT_NEAR(weight_, -0.78125, 1e-12);
  EXPECT_NEAR(bias_, -2.5, 1e-12);
}

TEST_F(OneWeight, Adam) {
  OptimizerSettings settings;
  settings.rule = OptimizerRule::adam;
  settings.beta1 = 0.5F;
  settings.beta2 = 0.75F;
  settings.epsilon = 0.125F;
  run(settings, 1, 3);
  // bias: m = 0.5, v = 0.25 → 1 and 1: w = 2 − 1/1.125; m = 1.75, v = 0.1875 + 2.25
  // → 1.75/0.75, 2.4375/0.4375
  const double first = 2 - 1 / 1.125;
  EXPECT_NEAR(bias_, first - (1.75 / 0.75) / (std::sqrt(2.4375 / 0.4375) + 0.125), 1e-12);
  // weight: gradients 1.5 and 3 + w/4, rate 0.5
  const double w = 2 - 0.5 * 1.5 / 1.625, g = 3 + w / 4;
  const double m = 0.375 + 0.5 * g, v = 0.75 * 0.25 * 2.25 + 0.25 * g * g;
  EXPECT_NEAR(weight_, w - 0.5 * (m / 0.75) / (std::sqrt(v / 0.4375) + 0.125), 1e-12);
}

}  // namespace
}  // namespace convoy::test
