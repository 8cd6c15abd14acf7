// The names of Convoy's parameters in the files of other programs. All networks have the layers conv1 … conv5
// and fc6 … fc8, so one table serves them. Used by `convoy export` and, to recognise what a file holds, by
// the matching of foreign tensors to a network.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/words.hpp"

namespace convoy {

// torchvision: "features.0.weight" … "classifier.6.bias", as torchvision.models.alexnet has them; caffe:
// "conv1.weight" … "fc8.bias", as bvlc_alexnet and CaffeNet name their layers.
enum class TensorNames { torchvision, caffe };

// "torchvision", "caffe".
Words<TensorNames> tensor_names_words();

// The names that a network's weights have without a choice: torchvision's for alexnet-owt, which is its
// network, otherwise Caffe's.
TensorNames usual_names(std::string_view network);

struct TensorName {
  std::string foreign;    // "features.0.weight"
  std::string parameter;  // "conv1/weight" (Parameter::path)
};

// The names of all parameters, in network order: conv1's weight, its bias, …, fc8's bias.
std::vector<TensorName> tensor_names(TensorNames names);

}  // namespace convoy
