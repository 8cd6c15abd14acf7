// Breaks texts into lines, for help texts and man pages.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace convoy {

// `text` broken at blanks into lines of at most `width` characters (a longer word has a line of its own); all
// lines but the first begin with `indent` blanks.
std::string wrapped(std::string_view text, std::size_t width, std::size_t indent = 0);

}  // namespace convoy
