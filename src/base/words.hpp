// Values that users specify by a word: one table serves both parsing an option and printing it.
#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace convoy {

template <typename Value>
using Words = std::vector<std::pair<std::string_view, Value>>;

// The word for `value`; empty when it has none.
template <typename Value>
std::string_view word_of(const Words<Value>& words, const Value& value) {
  for (const auto& [word, named] : words) {
    if (named == value) return word;
  }
  return {};
}

// The value that `word` names; none for an unknown word.
template <typename Value>
std::optional<Value> value_of(const Words<Value>& words, std::string_view word) {
  for (const auto& [named, value] : words) {
    if (named == word) return value;
  }
  return std::nullopt;
}

}  // namespace convoy
