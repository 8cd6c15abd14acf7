#include "foreign/imagenet_classes.hpp"

#include <algorithm>
#include <string>

namespace convoy {

std::vector<ClassEntry> imagenet_classes() {
  std::vector<ClassEntry> classes;
  for (std::string_view text = imagenet_classes_text(); !text.empty();) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::size_t blank = line.find(' ');
    classes.push_back({std::string(line.substr(0, blank)), std::string(line.substr(blank + 1))});
  }
  return classes;
}

}  // namespace convoy
