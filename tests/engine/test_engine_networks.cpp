// Every network of the family on every target: all layers, kernels, strides, paddings and groups at full
// input size but with fewer channels, and the original in full.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/engine_under_test.hpp"
#include "model/networks.hpp"
#include "reference/narrow.hpp"

namespace convoy::test {
namespace {

struct Parameters {
  Target target;
  std::string network;
};
std::ostream& operator<<(std::ostream& out, const Parameters& each) {
  return out << each.target << " " << each.network;
}

std::vector<Parameters> all_networks() {
  std::vector<Parameters> result;
  for (const Target& target : available_targets()) {
    for (const std::string& name : network_names()) result.push_back({target, name});
  }
  return result;
}

class EngineNetworks : public testing::TestWithParam<Parameters> {};

INSTANTIATE_TEST_SUITE_P(All, EngineNetworks, testing::ValuesIn(all_networks()), [](const auto& each) {
  std::string name = each.param.target.name() + "_" + each.param.network;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

void expect_same_network(const Target& target, const NetSpec& spec, int rows, bool mean_image) {
  const InputSpec input = test_input(spec, spec.stored_side, mean_image);
  EngineUnderTest engine(target, spec, input);
  const TransformKind kind =
      spec.stored_side == spec.input.height ? TransformKind::warp : TransformKind::crop_and_mirror;
  TestBatch batch = random_batch(input, class_count(spec), rows, kind, 31);
  batch.first_position = 1000;
  const PassContext context{77, 5, 1.0 / rows};
  const auto training = engine.compile(rows);
  expect_same_forward(engine, *training, batch, Mode::training, context);
  expect_same_backward(engine, *training, context);
  const auto evaluation = engine.compile(rows, Mode::evaluation);
  expect_same_forward(engine, *evaluation, batch, Mode::evaluation, context);
}

TEST_P(EngineNetworks, NarrowAsTheReference) {
  expect_same_network(GetParam().target, narrow(make_network(GetParam().network), 16, 23), 3, true);
}

class EngineOtherSizes : public testing::TestWithParam<Target> {};
INSTANTIATE_TEST_SUITE_P(All, EngineOtherSizes, testing::ValuesIn(available_targets()),
                         [](const auto& each) { return each.param.name(); });

TEST_P(EngineOtherSizes, OneWeirdTrickAsTheReference) {
  for (const int side : {63, 128, 250}) {
    SCOPED_TRACE(side);
    NetworkChanges changes;
    changes.input_side = side;
    expect_same_network(GetParam(), narrow(make_network("alexnet-owt", changes), 16, 23), 2, false);
  }
}

// All channels. A target that differs from another one only in the format of its elements gets a smaller
// picture.
TEST_P(EngineOtherSizes, TheOriginalInFullAsTheReference) {
  NetSpec spec = make_network("alexnet");
  if (GetParam().precision == Precision::tf32 || GetParam().precision == Precision::fp16) {
    spec.input.height = spec.input.width = 131;
    spec.stored_side = 150;
  }
  expect_same_network(GetParam(), spec, 2, false);
}

}  // namespace
}  // namespace convoy::test
