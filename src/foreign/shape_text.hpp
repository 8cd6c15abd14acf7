// Shapes in messages: "96 × 3 × 11 × 11". Used by this folder's readers and by `convoy import`.
#pragma once

#include <string>
#include <vector>

namespace convoy {

template <typename Size>
std::string shape_text(const std::vector<Size>& shape) {
  std::string text;
  for (const Size size : shape) {
    if (!text.empty()) text += " × ";
    text += std::to_string(size);
  }
  return text.empty() ? "a single number" : text;
}

}  // namespace convoy
