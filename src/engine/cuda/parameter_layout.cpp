#include "engine/cuda/parameter_layout.hpp"

#include <algorithm>
#include <cstddef>
#include <variant>

#include "base/error.hpp"

namespace convoy::cuda {

namespace {

// Rows × columns become columns × rows.
void transpose(const float* from, float* to, std::size_t rows, std::size_t columns) {
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      to[column * rows + row] = from[row * columns + column];
    }
  }
}

}  // namespace

ParameterLayout::ParameterLayout(const NetSpec& spec, const ParameterTable& table) : size_(table.size()) {
  const std::vector<Shape> shapes = infer_shapes(spec);
  for (const Parameter& parameter : table.parameters()) {
    if (parameter.kind != ParameterKind::weight) continue;
    const auto index = static_cast<std::size_t>(parameter.layer_index);
    Swap swap;
    swap.offset = parameter.offset;
    swap.outer = static_cast<std::size_t>(parameter.shape[0]);
    if (std::holds_alternative<Convolution>(spec.layers[index])) {
      swap.channels = static_cast<std::size_t>(parameter.shape[1]);
      swap.area = static_cast<std::size_t>(parameter.shape[2]) * static_cast<std::size_t>(parameter.shape[3]);
    } else {
      const Shape& input = index == 0 ? spec.input : shapes[index - 1];
      swap.channels = static_cast<std::size_t>(input.channels);
      swap.area = static_cast<std::size_t>(input.height) * static_cast<std::size_t>(input.width);
    }
    ensure(swap.outer * swap.channels * swap.area == parameter.elements,
           "a weight has the elements of its shape");
    if (swap.channels > 1 && swap.area > 1) swaps_.push_back(swap);
  }
}

void ParameterLayout::to_engine(Layout layout, std::span<const float> canonical,
                                std::span<float> engine) const {
  ensure(canonical.size() == size_ && engine.size() == size_, "a whole flat buffer is reordered");
  std::copy(canonical.begin(), canonical.end(), engine.begin());
  if (layout == Layout::channels_first) return;
  for (const Swap& swap : swaps_) {
    const std::size_t piece = swap.channels * swap.area;
    for (std::size_t i = 0; i < swap.outer; ++i) {
      const std::size_t at = swap.offset + i * piece;
      transpose(&canonical[at], &engine[at], swap.channels, swap.area);
    }
  }
}

void ParameterLayout::to_canonical(Layout layout, std::span<const float> engine,
                                   std::span<float> canonical) const {
  ensure(canonical.size() == size_ && engine.size() == size_, "a whole flat buffer is reordered");
  std::copy(engine.begin(), engine.end(), canonical.begin());
  if (layout == Layout::channels_first) return;
  for (const Swap& swap : swaps_) {
    const std::size_t piece = swap.channels * swap.area;
    for (std::size_t i = 0; i < swap.outer; ++i) {
      const std::size_t at = swap.offset + i * piece;
      transpose(&engine[at], &canonical[at], swap.area, swap.channels);
    }
  }
}

}  // namespace convoy::cuda
