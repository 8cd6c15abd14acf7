// Names of a network's activations, as papers and Caffe use them: "conv1", "norm1", "pool1", … "fc8". Used by
// `visualize features`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/net_spec.hpp"

namespace convoy {

struct NamedActivation {
  std::string name;
  int layer_index = 0;  // into NetSpec::layers: the layer whose output it is
  Shape shape;
};

// In network order. Convolutions and fully connected layers are named as they are, and their activation is
// that behind their ReLU where one follows. Normalisation and max-pooling have the number of the convolution
// before them; the adaptive average pool is "avgpool". Dropout does nothing outside training and has no name.
std::vector<NamedActivation> named_activations(const NetSpec& spec);

// Throws ExitCode::usage with the names that exist.
NamedActivation find_activation(const NetSpec& spec, std::string_view name);

}  // namespace convoy
