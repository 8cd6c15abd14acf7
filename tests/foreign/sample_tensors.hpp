// Tensors as files of other programs hold them, made from a network's own parameters.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "foreign/named_tensor.hpp"
#include "model/net_spec.hpp"

namespace convoy::test {

// The names of a network's eight layers in a family of files, conv1's first.
using LayerNames = std::vector<std::string>;

// "conv1" … "fc8".
LayerNames own_names();
// "features.0" … "classifier.6".
LayerNames torchvision_names();

// The shapes of a network's parameters under such names, in network order, without values.
std::vector<NamedTensor> shapes_of(const NetSpec& network, const LayerNames& names);

// With values: element e of parameter p is p + e ÷ 2^20.
std::vector<NamedTensor> tensors_of(const NetSpec& network, const LayerNames& names);

}  // namespace convoy::test
