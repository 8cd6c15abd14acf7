#include "foreign/sample_tensors.hpp"

#include <algorithm>

#include "model/parameter_table.hpp"

namespace convoy::test {

LayerNames own_names() {
  return {"conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"};
}

LayerNames torchvision_names() {
  return {"features.0",  "features.3",   "features.6",   "features.8",
          "features.10", "classifier.1", "classifier.4", "classifier.6"};
}

std::vector<NamedTensor> shapes_of(const NetSpec& network, const LayerNames& names) {
  const ParameterTable table(network);
  const LayerNames own = own_names();
  std::vector<NamedTensor> tensors;
  for (std::size_t i = 0; i < own.size(); ++i)
    for (const ParameterKind kind : {ParameterKind::weight, ParameterKind::bias}) {
      const std::vector<int>& shape = table.find(own[i], kind).shape;
      tensors.push_back({names[i] + (kind == ParameterKind::weight ? ".weight" : ".bias"),
                         {shape.begin(), shape.end()},
                         {}});
    }
  return tensors;
}

std::vector<NamedTensor> tensors_of(const NetSpec& network, const LayerNames& names) {
  std::vector<NamedTensor> tensors = shapes_of(network, names);
  for (std::size_t p = 0; p < tensors.size(); ++p) {
    std::size_t count = 1;
    for (const std::int64_t size : tensors[p].shape) count *= static_cast<std::size_t>(size);
    tensors[p].values.resize(count);
    for (std::size_t e = 0; e < count; ++e)
      tensors[p].values[e] = static_cast<float>(p) + static_cast<float>(e) / (1 << 20);
  }
  return tensors;
}

}  // namespace convoy::test
