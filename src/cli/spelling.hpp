// Help for mistyped names: the nearest name that exists, and what options of other programs (PyTorch's
// examples, Caffe) are called here. Used where an unknown option, command or word is refused.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace convoy {

// Edits (insert, delete, replace, swap neighbours) between two texts; '_' counts as '-'.
int edit_distance(std::string_view a, std::string_view b);

// The name most like `text` when it is like enough to be a slip; else empty.
std::string nearest_name(std::string_view text, const std::vector<std::string_view>& names);

// What to use instead of an option of PyTorch's or Caffe's programs, as a sentence; empty when `option` (as
// typed, with its dashes, without a value) is none.
std::string habit_advice(std::string_view option);

}  // namespace convoy
