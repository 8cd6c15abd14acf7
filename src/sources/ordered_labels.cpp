#include "sources/ordered_labels.hpp"

#include <algorithm>
#include <functional>
#include <unordered_set>

#include "base/error.hpp"
#include "sources/natural_order.hpp"
#include "sources/tar_file.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

using Order = std::vector<std::size_t>;  // numbers of items

template <typename Less>
Order sorted_items(const SourceIndex& index, Less&& less) {
  Order order(index.items.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    return less(std::string_view(index.items[a].name), std::string_view(index.items[b].name));
  });
  return order;
}

// By file name, then by path, so that equal file names have an order too.
Order file_name_order(const SourceIndex& index) {
  return sorted_items(index, [](std::string_view a, std::string_view b) {
    const auto name_a = file_name(a), name_b = file_name(b);
    return name_a != name_b ? name_a < name_b : a < b;
  });
}

void compare(const SourceIndex& index, const GivenLabels& labels, const Order& order, const Order& other,
             const fs::path& path, std::string_view reason) {
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (labels[order[i]].text == labels[other[i]].text) continue;
    fail(ExitCode::bad_data,
         "{}: line {} is the class of {} or of {}, {}: use a list with the images' names (\"name,class\")",
         path.string(), labels[order[i]].line, index.items[order[i]].name, index.items[other[i]].name,
         reason);
  }
}

bool folders_are_classes(const SourceIndex& index, const GivenLabels& labels) {
  std::unordered_set<std::string_view> classes;
  for (const GivenLabel& label : labels) classes.insert(label.text);
  return std::ranges::all_of(index.classes, [&](const std::string& id) { return classes.contains(id); });
}

}  // namespace

GivenLabels labels_in_file_name_order(const SourceIndex& index, const GivenLabels& lines,
                                      const fs::path& path) {
  if (index.items.size() != lines.size()) {
    fail(ExitCode::bad_data,
         "{} contains {} labels but the source has {} images: is it the other split's, "
         "or is the source incomplete?",
         path.string(), lines.size(), index.items.size());
  }
  const Order order = file_name_order(index);
  GivenLabels labels(lines.size());
  for (std::size_t i = 0; i < order.size(); ++i) labels[order[i]] = lines[i];
  return labels;
}

void refuse_doubtful_order(const SourceIndex& index, const GivenLabels& labels, const fs::path& path) {
  const Order order = file_name_order(index);
  const Order by_value = sorted_items(index, [](std::string_view a, std::string_view b) {
    const auto name_a = file_name(a), name_b = file_name(b);
    return name_a != name_b ? natural_less(name_a, name_b) : a < b;
  });
  compare(index, labels, order, by_value, path, "depending on how numbers in file names are sorted");
  if (folders_are_classes(index, labels)) return;
  compare(index, labels, order, sorted_items(index, std::less<>()), path,
          "depending on whether the names are sorted with their folders");
}

}  // namespace convoy
