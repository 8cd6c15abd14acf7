#include "foreign/caffe_files.hpp"

namespace convoy::test {
namespace {

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

std::string field(int number, const std::string& content) {
  return varint(static_cast<std::uint64_t>(number) << 3 | 2) + varint(content.size()) + content;
}

}  // namespace

std::string network_field(const std::string& name) {
  return field(1, name);
}

std::string layer_field(const caffe::Layer& layer) {
  return field(100, layer.SerializeAsString());
}

std::string layer_field(const caffe::LayerVersion1& layer) {
  return field(2, layer.SerializeAsString());
}

caffe::Blob blob_of(const NamedTensor& tensor, bool old) {
  caffe::Blob blob;
  if (old) {
    std::vector<std::int64_t> sizes = tensor.shape;
    sizes.insert(sizes.begin(), 4 - sizes.size(), 1);
    blob.set_num(sizes[0]);
    blob.set_channels(sizes[1]);
    blob.set_height(sizes[2]);
    blob.set_width(sizes[3]);
  } else {
    blob.mutable_shape()->mutable_dim()->Add(tensor.shape.begin(), tensor.shape.end());
  }
  blob.mutable_data()->Add(tensor.values.begin(), tensor.values.end());
  return blob;
}

caffe::Layer weighted_layer(const std::string& name, const std::string& type, const NamedTensor& weight,
                            const NamedTensor& bias) {
  caffe::Layer layer;
  layer.set_name(name);
  layer.set_type(type);
  *layer.add_blobs() = blob_of(weight);
  *layer.add_blobs() = blob_of(bias);
  return layer;
}

}  // namespace convoy::test
