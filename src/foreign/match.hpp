// Which of Convoy's networks the tensors of a foreign file belong to, and which tensor is which parameter.
// Names differ from program to program ("features.0.weight", "convolution.0.weight", "conv1.weight"); shapes
// do not, so shapes decide. Used by foreign_model.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "foreign/named_tensor.hpp"

namespace convoy {

// The tensors of one network as its parameters.
struct NetworkMatch {
  std::string network;
  int classes = 0;  // rows of fc8's weight
  struct Pair {
    std::size_t tensor = 0;  // index in the file's list
    std::string parameter;   // "conv1/weight"
  };
  std::vector<Pair> pairs;             // in network order
  std::vector<std::size_t> left_over;  // tensors that this network does not have
};

// All networks that the tensors fit. A name ends in "weight" or "bias" after a dot, a slash or an underscore,
// and what comes before names the layer. Among layers of equal shapes the order in `tensors` decides. The
// weights of fully connected layers may also have the shape of the convolution that computes the same.
std::vector<NetworkMatch> match_networks(std::span<const NamedTensor> tensors);

// Why the tensors do not fit `network`, or, if that is empty, the network that they come nearest to. Names
// the first parameter for which no tensor has the shape, and the tensor that is there instead.
std::string mismatch_text(std::span<const NamedTensor> tensors, std::string_view network);

// "features.0.weight (64 × 3 × 11 × 11), …"; long lists are cut.
std::string tensors_text(std::span<const NamedTensor> tensors, std::span<const std::size_t> indices);

}  // namespace convoy
