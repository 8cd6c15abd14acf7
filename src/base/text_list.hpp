// Lists of texts in messages.
#pragma once

#include <string>

namespace convoy {

// "a, b, c", of any range of texts. (fmt::join of texts causes false warnings in GCC 12.)
template <typename Texts>
std::string text_list(const Texts& texts, const char* separator = ", ") {
  std::string list;
  for (const auto& text : texts) {
    if (!list.empty()) list += separator;
    list += text;
  }
  return list;
}

}  // namespace convoy
