#include "sources/class_order.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/lower_case.hpp"
#include "sources/natural_order.hpp"
#include "sources/source_kinds.hpp"

namespace convoy {

namespace {

std::string without_leading_zeros(const std::string& number) {
  return number.substr(std::min(number.find_first_not_of('0'), number.size() - 1));
}

// How numbers that are not consecutive are ordered.
const char* order_text(const std::vector<std::string>& numbers) {
  if (!std::ranges::is_sorted(numbers, natural_less)) return "not ordered by value";
  const auto twice = std::ranges::adjacent_find(numbers, {}, without_leading_zeros);
  return twice == numbers.end() ? "ordered by value and with gaps" : "ordered by value, some of them equal";
}

}  // namespace

bool are_whole_numbers(const std::vector<std::string>& ids) {
  return !ids.empty() && std::ranges::all_of(ids, is_whole_number);
}

void sort_class_ids(std::vector<std::string>& ids) {
  if (are_whole_numbers(ids))
    std::ranges::sort(ids, natural_less);
  else
    std::ranges::sort(ids);
}

std::optional<NumberOrder> number_order(const std::vector<std::string>& ids) {
  if (!are_whole_numbers(ids)) return {};
  const auto off_by = [&](std::int64_t offset) {
    for (std::size_t i = 0; i < ids.size(); ++i)
      if (whole_number(ids[i]) != static_cast<std::int64_t>(i) + offset) return false;
    return true;
  };
  if (off_by(0)) return NumberOrder{true, "the classes are the numbers from 0: label i is class i"};
  const std::size_t last = ids.size() - 1;
  if (last == 0) {
    return NumberOrder{
        false, fmt::format("the only class is the number {0}, but labels count from 0: label 0 is class {0}",
                           ids.front())};
  }
  if (const auto first = whole_number(ids.front()); first && off_by(*first)) {
    return NumberOrder{false,
                       fmt::format("the classes are the numbers from {} to {}, labels count from 0: label i "
                                   "is class i + {}",
                                   ids.front(), ids.back(), *first)};
  }
  std::size_t odd = 0;
  while (odd < last && whole_number(ids[odd]) == static_cast<std::int64_t>(odd)) ++odd;
  std::string examples = fmt::format("label {} is class {}", odd, ids[odd]);
  if (odd != last) examples += fmt::format(", label {} is class {}", last, ids[last]);
  return NumberOrder{false, fmt::format("the classes are numbers, {}, but a label is the position in this "
                                        "order: {}",
                                        order_text(ids), examples)};
}

std::vector<std::string> similar_ids(const std::vector<std::string>& ids) {
  const bool numbers = are_whole_numbers(ids);
  std::unordered_map<std::string, const std::string*> first;
  std::vector<std::string> remarks;
  for (const std::string& id : ids) {
    const auto [same, added] = first.emplace(numbers ? without_leading_zeros(id) : lower_case(id), &id);
    if (!added)
      remarks.push_back(fmt::format("classes {} and {} differ only in {}: are they one class?", *same->second,
                                    id, numbers ? "leading zeros" : "case"));
  }
  return remarks;
}

bool read_folders_as_labels(SourceIndex& index, const std::vector<std::string>& known) {
  if (known.size() != index.classes.size() || are_whole_numbers(known)) return false;
  const auto order = number_order(index.classes);
  if (!order || !order->same) return false;
  index.classes = known;
  return true;
}

void assign_classes(SourceIndex& index, const std::vector<std::string>& class_of_item) {
  std::unordered_map<std::string_view, std::int32_t> label_of;
  for (const std::string& id : class_of_item)
    if (!id.empty() && label_of.emplace(id, 0).second) index.classes.push_back(id);
  sort_class_ids(index.classes);
  for (std::size_t i = 0; i < index.classes.size(); ++i)
    label_of[index.classes[i]] = static_cast<std::int32_t>(i);
  for (std::size_t i = 0; i < index.items.size(); ++i)
    if (!class_of_item[i].empty()) index.items[i].label = label_of.at(class_of_item[i]);
}

}  // namespace convoy
