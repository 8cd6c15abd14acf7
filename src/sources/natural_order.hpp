// Order of texts in which runs of digits count by their value: "2" before "10". Used for classes that are
// numbers, and to recognise file names whose order is not the order of their numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace convoy {

// Runs of digits are compared by value, everything else by bytes. Texts that differ only in leading zeros are
// ordered by bytes, so that the order is total.
bool natural_less(std::string_view a, std::string_view b);

// Whether the text consists of digits only (at least one).
bool is_whole_number(std::string_view text);

// The value of a text of digits; nothing for other texts and for values over 63 bits.
std::optional<std::int64_t> whole_number(std::string_view text);

}  // namespace convoy
