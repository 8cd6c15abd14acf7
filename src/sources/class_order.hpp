// The order of the classes that a source's folders or a list of labels name, and remarks on it: people who
// name folders by numbers take the numbers for labels. Used by the sources and by pack.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sources/source.hpp"

namespace convoy {

// Whether all ids consist of digits only, such as "0", "12" or "0012".
bool are_whole_numbers(const std::vector<std::string>& ids);

// Sorts ids by bytes; by value if all of them are whole numbers.
void sort_class_ids(std::vector<std::string>& ids);

// For classes that are whole numbers: the relation between labels and these numbers.
struct NumberOrder {
  bool same = false;  // label i is the class with the number i, for all i
  std::string text;   // for the log, e.g. "label i is class i + 1"
};
std::optional<NumberOrder> number_order(const std::vector<std::string>& ids);

// Remarks on ids that are probably one class by mistake: they differ only in case or in leading zeros.
std::vector<std::string> similar_ids(const std::vector<std::string>& ids);

// If the source's classes are the numbers 0 to `known`.size() - 1 and `known` are not numbers, the folders
// are named by label, as in ImageNetV2: replaces each number by the class with this label and returns true.
bool read_folders_as_labels(SourceIndex& index, const std::vector<std::string>& known);

}  // namespace convoy
