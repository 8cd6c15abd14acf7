// The characters of a UTF-8 text whose origin is unknown (names of files and classes).
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace convoy {

struct Character {
  char32_t code;
  std::size_t begin;  // of its first byte in the text
};

// Each byte that belongs to no character (as the Unicode standard defines UTF-8: no overlong forms, no
// surrogates) becomes one U+FFFD.
std::vector<Character> characters_of(std::string_view text);

}  // namespace convoy
