// Weights as the files of other programs hold them: tensors with names, before anyone knows which network
// they belong to. The readers of this folder return them, its writers take them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace convoy {

struct NamedTensor {
  std::string name;                 // "features.0.weight"; of Caffe "conv1.weight"
  std::vector<std::int64_t> shape;  // as in the file; empty: a single number
  std::vector<float> values;        // contiguous, last dimension fastest
  std::string type = "float32";     // in the file: "float16", "bfloat16", "float64", …
};

}  // namespace convoy
