#include "foreign/foreign_error.hpp"

namespace convoy {

std::string readable(std::string_view text) {
  constexpr std::size_t longest = 100;
  std::string result;
  for (const char c : text.substr(0, longest)) result.push_back(c >= ' ' && c <= '~' ? c : '?');
  return text.size() > longest ? result + "…" : result;
}

}  // namespace convoy
