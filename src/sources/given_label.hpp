// The class that a list gives to one image, before the text is looked up among the classes. Produced by
// named_labels and ordered_labels, interpreted by label_list.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace convoy {

struct GivenLabel {
  std::string text;      // a class id or a class number
  std::size_t line = 0;  // of the list
};

// One for each item of a source, in the items' order.
using GivenLabels = std::vector<GivenLabel>;

}  // namespace convoy
