// Texts that are compared whatever the case of their letters: extensions, titles of columns, names of
// folders.
#pragma once

#include <string>

namespace convoy {

// Only letters of ASCII change, so the result does not depend on the locale.
inline std::string lower_case(std::string text) {
  for (char& letter : text)
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  return text;
}

}  // namespace convoy
