// The order of parameters in the CUDA engine's buffers; host code, so no device is needed.
#include <gtest/gtest.h>

#include <numeric>

#include "base/error.hpp"
#include "engine/cuda/parameter_layout.hpp"
#include "model/networks.hpp"

namespace convoy::cuda::test {
namespace {

// A network with groups, maps that are flattened, and a layer behind vectors.
NetSpec small_network() {
  NetSpec spec;
  spec.name = "small";
  spec.input = {4, 5, 5};
  spec.layers = {
      Convolution{.name = "conv1", .filters = 6, .kernel = 3, .stride = 1, .padding = {}, .groups = 2},
      Relu{},
      Dropout{},
      FullyConnected{"fc2", 7},
      Relu{},
      FullyConnected{"fc3", 3}};
  return spec;
}

std::vector<float> numbered(std::size_t size) {
  std::vector<float> values(size);
  std::iota(values.begin(), values.end(), 0.0F);
  return values;
}

TEST(ParameterLayout, ChannelsFirstIsCanonicalOrder) {
  const NetSpec spec = small_network();
  const ParameterTable table(spec);
  const std::vector<float> values = numbered(table.size());
  std::vector<float> engine(table.size());
  ParameterLayout(spec, table).to_engine(Layout::channels_first, values, engine);
  EXPECT_EQ(engine, values);
}

TEST(ParameterLayout, ChannelsLastPutsChannelsOfFiltersLast) {
  const NetSpec spec = small_network();
  const ParameterTable table(spec);
  const std::vector<float> values = numbered(table.size());
  std::vector<float> engine(table.size());
  ParameterLayout(spec, table).to_engine(Layout::channels_last, values, engine);
  const Parameter& conv = table.find("conv1", ParameterKind::weight);
  for (std::size_t k = 0; k < 6; ++k) {
    for (std::size_t c = 0; c < 2; ++c) {  // 4 channels in 2 groups
      for (std::size_t r = 0; r < 3; ++r) {
        for (std::size_t s = 0; s < 3; ++s) {
          EXPECT_EQ(engine[conv.offset + ((k * 3 + r) * 3 + s) * 2 + c],
                    values[conv.offset + ((k * 2 + c) * 3 + r) * 3 + s]);
        }
      }
    }
  }
}

TEST(ParameterLayout, ChannelsLastReordersInputsBehindMapsOnly) {
  const NetSpec spec = small_network();
  const ParameterTable table(spec);
  const std::vector<float> values = numbered(table.size());
  std::vector<float> engine(table.size());
  ParameterLayout(spec, table).to_engine(Layout::channels_last, values, engine);
  const Parameter& behind_maps = table.find("fc2", ParameterKind::weight);
  for (std::size_t out = 0; out < 7; ++out) {
    for (std::size_t c = 0; c < 6; ++c) {
      for (std::size_t place = 0; place < 9; ++place) {
        EXPECT_EQ(engine[behind_maps.offset + out * 54 + place * 6 + c],
                  values[behind_maps.offset + out * 54 + c * 9 + place]);
      }
    }
  }
  for (const Parameter& same : table.parameters()) {
    if (same.kind == ParameterKind::weight && same.layer != "fc3") continue;
    for (std::size_t i = same.offset; i < same.offset + same.elements; ++i) EXPECT_EQ(engine[i], values[i]);
  }
}

TEST(ParameterLayout, ThereAndBackIsNothingForEveryNetwork) {
  for (const char* name : {"alexnet-mini", "alexnet-cifar"}) {
    const NetSpec spec = make_network(name);
    const ParameterTable table(spec);
    const ParameterLayout layout(spec, table);
    const std::vector<float> values = numbered(table.size());
    std::vector<float> engine(table.size()), back(table.size());
    for (const Layout each : {Layout::channels_first, Layout::channels_last}) {
      layout.to_engine(each, values, engine);
      layout.to_canonical(each, engine, back);
      EXPECT_EQ(back, values) << name;
    }
  }
}

TEST(ParameterLayout, PartsOfABufferAreRefused) {
  const NetSpec spec = small_network();
  const ParameterTable table(spec);
  const ParameterLayout layout(spec, table);
  std::vector<float> values(table.size()), engine(table.size() - 64);
  EXPECT_THROW(layout.to_engine(Layout::channels_last, values, engine), Error);
}

}  // namespace
}  // namespace convoy::cuda::test
