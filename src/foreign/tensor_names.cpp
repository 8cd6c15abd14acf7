#include "foreign/tensor_names.hpp"

#include <array>

namespace convoy {
namespace {

struct LayerName {
  const char* ours;  // Caffe's too
  const char* torchvision;
};

// torchvision counts every module of its two nn.Sequential: ReLU, pooling and dropout have numbers too.
constexpr std::array<LayerName, 8> layer_names{{{"conv1", "features.0"},
                                                {"conv2", "features.3"},
                                                {"conv3", "features.6"},
                                                {"conv4", "features.8"},
                                                {"conv5", "features.10"},
                                                {"fc6", "classifier.1"},
                                                {"fc7", "classifier.4"},
                                                {"fc8", "classifier.6"}}};

}  // namespace

Words<TensorNames> tensor_names_words() {
  return {{"torchvision", TensorNames::torchvision}, {"caffe", TensorNames::caffe}};
}

TensorNames usual_names(std::string_view network) {
  return network == "alexnet-owt" ? TensorNames::torchvision : TensorNames::caffe;
}

std::vector<TensorName> tensor_names(TensorNames names) {
  std::vector<TensorName> result;
  for (const LayerName& layer : layer_names) {
    const std::string foreign = names == TensorNames::torchvision ? layer.torchvision : layer.ours;
    for (const char* kind : {"weight", "bias"})
      result.push_back({foreign + "." + kind, std::string(layer.ours) + "/" + kind});
  }
  return result;
}

}  // namespace convoy
