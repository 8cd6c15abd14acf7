// Counted nouns in messages: "1 step", "3 steps".
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <type_traits>

namespace convoy {

// `noun` in the singular; its plural ends in s. Fractions are shortened to four digits: "1.5 epochs".
template <typename Number>
std::string counted(Number count, std::string_view noun) {
  std::string text;
  if constexpr (std::is_floating_point_v<Number>)
    text = fmt::format("{:.4g}", count);
  else
    text = fmt::format("{}", count);
  return fmt::format("{} {}{}", text, noun, text == "1" ? "" : "s");
}

}  // namespace convoy
