// Initial weights: distributions, frozen values, independence of threads.
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>

#include "base/error.hpp"
#include "model/initialise.hpp"
#include "model/networks.hpp"

namespace convoy {
namespace {

struct Moments {
  double mean = 0, deviation = 0, largest = 0;
};

Moments moments(std::span<const float> values) {
  Moments result;
  const auto n = static_cast<double>(values.size());
  for (const float value : values) {
    result.mean += value / n;
    result.largest = std::max(result.largest, std::abs(static_cast<double>(value)));
  }
  for (const float value : values) result.deviation += (value - result.mean) * (value - result.mean) / n;
  result.deviation = std::sqrt(result.deviation);
  return result;
}

class Initialised : public testing::Test {
 protected:
  std::vector<float> tensor(const std::string& layer, ParameterKind kind, Initialiser scheme,
                            std::uint64_t seed = 42) const {
    const Parameter& parameter = table_.find(layer, kind);
    std::vector<float> values(parameter.elements, -7);
    initialise_parameter(parameter, scheme, seed, values);
    return values;
  }
  std::vector<float> weight(const std::string& layer, Initialiser scheme) const {
    return tensor(layer, ParameterKind::weight, scheme);
  }
  void expect_bias(const std::string& layer, Initialiser scheme, float value) const {
    for (const float bias : tensor(layer, ParameterKind::bias, scheme)) EXPECT_EQ(bias, value) << layer;
  }

  NetSpec spec_ = make_network("alexnet-mini");
  ParameterTable table_{spec_};
};

// Mean within 4 standard errors; deviation within 4 standard errors (σ/√(2n)) of the one asked for.
void expect_normal(std::span<const float> values, double sigma) {
  const auto n = static_cast<double>(values.size());
  const Moments found = moments(values);
  EXPECT_NEAR(found.mean, 0, 4 * sigma / std::sqrt(n));
  EXPECT_NEAR(found.deviation, sigma, 4 * sigma / std::sqrt(2 * n));
  EXPECT_GT(found.largest, 3.5 * sigma);
  EXPECT_LT(found.largest, 7 * sigma);
}

// Deviation b/√3 to 1 % (n ≥ 30,000); nothing outside [−b, b], something near it.
void expect_uniform(std::span<const float> values, double bound) {
  const Moments found = moments(values);
  EXPECT_NEAR(found.mean, 0, 4 * bound / std::sqrt(3.0 * static_cast<double>(values.size())));
  EXPECT_NEAR(found.deviation, bound / std::sqrt(3.0), 0.01 * bound);
  EXPECT_LE(found.largest, bound * (1 + 1e-7));
  EXPECT_GT(found.largest, 0.999 * bound);
}

TEST_F(Initialised, Paper) {
  for (const char* layer : {"conv2", "conv3", "fc6", "fc7"}) {
    expect_normal(weight(layer, Initialiser::paper), 0.01);
  }
  for (const char* layer : {"conv2", "conv4", "conv5", "fc6", "fc7"}) {
    expect_bias(layer, Initialiser::paper, 1);
  }
  for (const char* layer : {"conv1", "conv3", "fc8"}) expect_bias(layer, Initialiser::paper, 0);
}

TEST_F(Initialised, Caffe) {
  for (const char* layer : {"conv2", "conv3"}) expect_normal(weight(layer, Initialiser::caffe), 0.01);
  for (const char* layer : {"fc6", "fc7"}) expect_normal(weight(layer, Initialiser::caffe), 0.005);
  for (const char* layer : {"conv2", "conv4", "conv5", "fc6", "fc7"}) {
    expect_bias(layer, Initialiser::caffe, 0.1F);
  }
  for (const char* layer : {"conv1", "conv3", "fc8"}) expect_bias(layer, Initialiser::caffe, 0);
}

TEST_F(Initialised, Torch) {
  expect_uniform(weight("conv2", Initialiser::torch), 1 / std::sqrt(48.0 * 25));
  expect_uniform(weight("fc6", Initialiser::torch), 1 / std::sqrt(864.0));
  const double bound = 1 / std::sqrt(864.0);
  const Moments bias = moments(tensor("fc6", ParameterKind::bias, Initialiser::torch));
  EXPECT_LE(bias.largest, bound);
  EXPECT_NEAR(bias.deviation, bound / std::sqrt(3.0), 0.1 * bound);  // 512 values
}

TEST_F(Initialised, Keras) {
  expect_uniform(weight("conv2", Initialiser::keras), std::sqrt(6.0 / (25 * (48 + 96))));
  expect_uniform(weight("fc6", Initialiser::keras), std::sqrt(6.0 / (864 + 512)));
  for (const char* layer : {"conv1", "conv2", "fc6", "fc8"}) expect_bias(layer, Initialiser::keras, 0);
}

// First values computed apart from this program, in Python from Salmon's and Box and Muller's papers:
// changing them changes every run.
TEST_F(Initialised, FirstValuesAreFrozen) {
  const auto expect_first = [](const std::vector<float>& values, std::initializer_list<double> expected) {
    std::size_t i = 0;
    for (const double value : expected) EXPECT_FLOAT_EQ(values[i++], static_cast<float>(value));
  };
  expect_first(weight("conv2", Initialiser::paper),
               {0.005923705318257437, -0.009163979630866995, 0.002058728676623972, 0.014635429973282344,
                0.01142332429897184, -0.00014902542608053203});
  expect_first(weight("fc6", Initialiser::caffe),
               {-0.00557357119845652, 0.005866059276873547, -0.004942003965666096, -0.005089474726271122,
                0.00691870877292162, -9.738037555826165e-05});
  expect_first(weight("fc6", Initialiser::torch),
               {-0.015652707254001273, -0.00878199103271692, -0.009152414462316, 0.008664358010053148,
                -0.00790449130908345, 0.033868281745209054});
  expect_first(tensor("fc6", ParameterKind::bias, Initialiser::torch),
               {-0.028806860838897906, 0.017652541544715704, -0.0063929929256058525, 0.01959276371705469,
                -0.002736764479141594, -0.008417112328823015});
  expect_first(weight("fc6", Initialiser::keras),
               {-0.03038174696412962, -0.017045756051500688, -0.017764744193618242, 0.01681743154052621,
                -0.015342537935177022, 0.06573799339598306});
  const std::uint64_t long_seed = (std::uint64_t{7} << 32) | 5;
  expect_first(tensor("conv1", ParameterKind::weight, Initialiser::torch, long_seed),
               {0.11490454799579827, 0.0803834484433788, 0.05741769077606012, -0.04791500482650361,
                -0.03140640157834137, 0.10830668873619094});
}

TEST_F(Initialised, FlatBufferHoldsEveryTensorAndZeroGaps) {
  std::vector<float> flat(table_.size(), -7);
  initialise_parameters(table_, Initialiser::torch, 42, flat);
  std::size_t end = 0;
  for (const Parameter& parameter : table_.parameters()) {
    for (; end < parameter.offset; ++end) EXPECT_EQ(flat[end], 0);
    const std::vector<float> values = tensor(parameter.layer, parameter.kind, Initialiser::torch);
    EXPECT_TRUE(std::equal(values.begin(), values.end(), flat.begin() + static_cast<long>(end)))
        << parameter.path();
    end = parameter.offset + parameter.elements;
  }
  for (; end < flat.size(); ++end) EXPECT_EQ(flat[end], 0);
}

TEST_F(Initialised, TensorsAndSeedsDiffer) {
  EXPECT_NE(weight("conv3", Initialiser::torch)[0], weight("conv4", Initialiser::torch)[0]);
  EXPECT_NE(tensor("fc6", ParameterKind::weight, Initialiser::paper, 1)[0],
            tensor("fc6", ParameterKind::weight, Initialiser::paper, 2)[0]);
}

TEST_F(Initialised, ThreadsDoNotMatter) {
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const std::vector<float> one = weight("fc6", Initialiser::paper);
  omp_set_num_threads(3);
  EXPECT_EQ(weight("fc6", Initialiser::paper), one);
  omp_set_num_threads(threads);
}

TEST_F(Initialised, WrongSizesAreBugs) {
  std::vector<float> values(3);
  EXPECT_THROW(initialise_parameter(table_.find("fc8", ParameterKind::weight), Initialiser::paper, 1, values),
               Error);
  EXPECT_THROW(initialise_parameters(table_, Initialiser::paper, 1, values), Error);
}

}  // namespace
}  // namespace convoy
