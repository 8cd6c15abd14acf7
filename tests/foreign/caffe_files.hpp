// Files of Caffe made on the spot, in all three versions of the format.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "caffe.pb.h"
#include "foreign/named_tensor.hpp"

namespace convoy::test {

// A file of Caffe is fields of one message behind one another: the name (1), layers of version 0 or 1 (2), of
// version 2 (100).
std::string network_field(const std::string& name);
std::string layer_field(const caffe::Layer& layer);
std::string layer_field(const caffe::LayerVersion1& layer);

// A blob with the tensor's shape, or, `old`, with four sizes.
caffe::Blob blob_of(const NamedTensor& tensor, bool old = false);

// A layer of version 2 with weight and bias.
caffe::Layer weighted_layer(const std::string& name, const std::string& type, const NamedTensor& weight,
                            const NamedTensor& bias);

}  // namespace convoy::test
