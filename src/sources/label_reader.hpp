// The meaning of the labels of a list: class ids, or numbers that count the classes from 0. Used by
// label_list.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sources/given_label.hpp"

namespace convoy {

// A class number: digits, perhaps as "3.0", which spreadsheets and tables of floats write.
std::optional<std::int64_t> class_number(std::string_view text);

// Each label's index into `classes`: all labels are read as ids or all as numbers. Throws ExitCode::bad_data,
// with `where` and the line, for a label that is not a class, and if both readings are possible and differ,
// as with folders named 1 to 10.
std::vector<std::int32_t> read_labels(const GivenLabels& labels, const std::vector<std::string>& classes,
                                      const std::string& where);

}  // namespace convoy
