#include "base/text_wrap.hpp"

#include <algorithm>

#include "base/terminal.hpp"

namespace convoy {

std::string wrapped(std::string_view text, std::size_t width, std::size_t indent) {
  std::string result;
  std::size_t used = 0;  // characters of the last line
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (word.empty()) continue;
    const std::size_t length = character_count(word);
    if (used > 0 && used + 1 + length > width) {
      result += '\n';
      result.append(indent, ' ');
      used = 0;
    }
    if (used > 0) result += ' ';
    result += word;
    used += length + (used > 0 ? 1 : 0);
  }
  return result;
}

}  // namespace convoy
