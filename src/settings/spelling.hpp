// Help for mistyped names: the nearest name that exists. Used wherever an unknown option, command or word is
// reported.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace convoy {

// Edits (insert, delete, replace, swap neighbours) between two texts; '_' counts as '-'.
int edit_distance(std::string_view a, std::string_view b);

// The name most like `text` when it is like enough to be a slip; else empty.
std::string nearest_name(std::string_view text, const std::vector<std::string_view>& names);

}  // namespace convoy
