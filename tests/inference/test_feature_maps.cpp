// Feature maps on every target against the reference: each layer that can be named, of the small network and
// of the original's layers with fewer channels (groups and normalisation).
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.hpp"
#include "engine/engine_under_test.hpp"
#include "inference/feature_maps.hpp"
#include "model/networks.hpp"
#include "reference/narrow.hpp"
#include "support/expect_error.hpp"

namespace convoy::test {
namespace {

struct Case {
  Target target;
  std::string network;
};

std::ostream& operator<<(std::ostream& out, const Case& each) {
  return out << each.target << " " << each.network;
}

std::vector<Case> all_cases() {
  std::vector<Case> result;
  for (const Target& target : available_targets()) {
    for (const char* network : {"alexnet-mini", "alexnet", "caffenet", "alexnet-owt"})
      result.push_back({target, network});
  }
  return result;
}

class FeatureMapsOn : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(All, FeatureMapsOn, testing::ValuesIn(all_cases()), [](const auto& each) {
  std::string name = each.param.target.name() + "_" + each.param.network;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

NetSpec network_of(const std::string& name) {
  const NetSpec spec = make_network(name);
  return name == "alexnet-mini" ? spec : narrow(spec, 16, 23);
}

TEST_P(FeatureMapsOn, EveryLayerIsThatOfTheReference) {
  const NetSpec spec = network_of(GetParam().network);
  const InputSpec input = test_input(spec, spec.stored_side, true);
  EngineUnderTest engine(GetParam().target, spec, input);
  const TestBatch batch = random_batch(input, class_count(spec), 1, TransformKind::centre, 53);
  engine.reference().forward(batch.view(), Mode::evaluation, {});
  TrainedModel model;
  model.header.input = input;
  model.network = spec;
  model.parameters = engine.read_parameters();
  const FeatureOptions options{
      .device = GetParam().target.device, .precision = GetParam().target.precision, .threads = 2};
  for (const NamedActivation& each : named_activations(spec)) {
    SCOPED_TRACE(each.name);
    const FeatureMaps maps = compute_feature_maps(model, each.name, batch.images, options);
    EXPECT_EQ(maps.activation.shape, each.shape);
    const Tensor& expected = engine.reference().activation(each.layer_index);
    ASSERT_EQ(maps.values.size(), expected.values.size());
    EXPECT_GT(*std::max_element(maps.values.begin(), maps.values.end()), 0);
    EXPECT_LE(relative_error(maps.values, expected.values), engine.tolerance().forward);
  }
}

TEST(FeatureMapsOfAnImage, ShowWhatTheNetworkSees) {
  InputSpec input;
  input.stored_side = 5;
  input.crop_side = 3;
  std::vector<std::uint8_t> image;
  for (int i = 0; i < 5 * 5 * 3; ++i) image.push_back(static_cast<std::uint8_t>(i));
  const std::vector<std::uint8_t> seen = seen_pixels(input, image);
  ASSERT_EQ(seen.size(), 27U);
  for (int row = 0; row < 3; ++row) {
    for (int i = 0; i < 9; ++i)
      EXPECT_EQ(seen[static_cast<std::size_t>(row * 9 + i)], ((row + 1) * 5 + 1) * 3 + i);
  }
  test::expect_error(ExitCode::bug, {"stored size"}, [&] { seen_pixels(input, std::span(image).first(30)); });
}

}  // namespace
}  // namespace convoy::test
