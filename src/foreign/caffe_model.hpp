// Caffe's files: a network with its weights (.caffemodel) and a mean image (mean.binaryproto). Used to import
// weights.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "foreign/named_tensor.hpp"

namespace convoy {

// The layers that tell networks of equal shapes apart, and those that feed them.
enum class CaffeLayerKind { convolution, inner_product, pooling, normalisation, data, other };

struct CaffeLayer {
  std::string name;
  CaffeLayerKind kind = CaffeLayerKind::other;
  float k = 1;  // of a normalisation
};

// What the network's data layer does to pixels of 0…255.
struct CaffeInput {
  double scale = 1;         // after the mean is subtracted
  std::vector<float> mean;  // blue, green, red, or a single value; empty: not in the file
  std::string mean_file;    // the path that was used in training; empty: none
  int crop_side = 0;        // 0: not in the file
};

struct CaffeModel {
  std::string name;                  // of the network; may be empty
  std::vector<CaffeLayer> layers;    // in the file's order
  std::vector<NamedTensor> tensors;  // "conv1.weight", "conv1.bias"; of other layers "scale1.0", "scale1.1"
  CaffeInput input;
};

// Whether a file is named .caffemodel or begins as one does.
bool is_caffemodel(const std::filesystem::path& path);

// Weights of inner products are out × in, biases have one dimension, whatever the version of the file. The
// channels of the first convolution's input are left as they are: blue, green, red. Throws ExitCode::bad_data
// with the place for a file that is cut off, damaged, or whose sizes contradict each other; ExitCode::io if
// it cannot be read.
CaffeModel read_caffemodel(const std::filesystem::path& path);

// A mean image as Caffe's compute_image_mean writes it.
struct CaffeMean {
  int side = 0;
  std::vector<float> values;  // 3 × side × side, red, green, blue
};

// Throws as read_caffemodel does, and for an image that is not square or has not three channels.
CaffeMean read_mean_binaryproto(const std::filesystem::path& path);

}  // namespace convoy
