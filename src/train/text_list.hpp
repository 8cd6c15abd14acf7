// Lists of texts in messages. For the .cpp files of this folder.
#pragma once

#include <string>
#include <vector>

namespace convoy {

// "a, b, c".
inline std::string text_list(const std::vector<std::string>& texts, const char* separator = ", ") {
  std::string list;
  for (const std::string& text : texts) {
    if (!list.empty()) list += separator;
    list += text;
  }
  return list;
}

}  // namespace convoy
