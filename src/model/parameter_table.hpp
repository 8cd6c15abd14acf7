// The position of each parameter tensor in the flat float32 buffers (parameters, gradients, optimiser slots).
// Tensors are in the order in which backward finishes them (the last layer first; within a layer weight, then
// bias), and each starts at a multiple of `parameter_alignment` elements; the gaps are always zero.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "model/net_spec.hpp"

namespace convoy {

inline constexpr std::size_t parameter_alignment = 64;  // elements: 256 bytes

// `elements` and the gap behind them.
constexpr std::size_t aligned_elements(std::size_t elements) {
  return (elements + parameter_alignment - 1) / parameter_alignment * parameter_alignment;
}

enum class ParameterKind { weight, bias };

struct Parameter {
  std::string layer;  // "conv1", "fc6"
  ParameterKind kind;
  std::vector<int> shape;  // canonical: OIHW (I per group), out × in, or out
  std::size_t offset = 0;  // first element in the flat buffer
  std::size_t elements = 0;
  int fan_in = 0, fan_out = 0;  // of the layer; used by initialisers (per group, kernel area included)
  int ordinal = 0;      // 0, 1, … in network order, conv1's weight first: the counter of initial weights
  int layer_index = 0;  // index into NetSpec::layers
  std::string path() const;  // "conv1/weight"
};

class ParameterTable {
 public:
  explicit ParameterTable(const NetSpec& spec);

  const std::vector<Parameter>& parameters() const { return parameters_; }  // in buffer order
  std::size_t size() const { return size_; }    // elements of a flat buffer, gaps included
  std::size_t count() const { return count_; }  // parameters, gaps excluded
  const Parameter& find(std::string_view layer, ParameterKind kind) const;  // throws ExitCode::bug

 private:
  std::vector<Parameter> parameters_;
  std::size_t size_ = 0, count_ = 0;
};

}  // namespace convoy
