// The order of a tensor's elements in the CUDA engine's flat buffers. Canonical order
// (model/parameter_table.hpp: filters OIHW, fully connected weights out × (C, H, W)) serves channels_first as
// it is. For channels_last filters stand in KRSC (out, height, width, channel of the group) and the weights
// of a fully connected layer behind maps take their inputs in (H, W, C), so that neither is moved in a step.
// Offsets and sizes of tensors are the same in both. Pure host code, used by CudaState's read and write.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engine/cuda/map.hpp"
#include "model/net_spec.hpp"
#include "model/parameter_table.hpp"

namespace convoy::cuda {

class ParameterLayout {
 public:
  ParameterLayout(const NetSpec& spec, const ParameterTable& table);

  // Whole flat buffers of table.size() elements, gaps copied as they are; `from` and `to` may not overlap.
  void to_engine(Layout layout, std::span<const float> canonical, std::span<float> engine) const;
  void to_canonical(Layout layout, std::span<const float> engine, std::span<float> canonical) const;

 private:
  // `outer` pieces of channels × area elements, of which the last two change places.
  struct Swap {
    std::size_t offset = 0, outer = 0, channels = 0, area = 0;
  };
  std::size_t size_;
  std::vector<Swap> swaps_;
};

}  // namespace convoy::cuda
