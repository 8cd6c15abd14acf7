#include "sources/label_reader.hpp"

#include <algorithm>
#include <unordered_map>

#include "base/error.hpp"
#include "sources/class_order.hpp"
#include "sources/natural_order.hpp"

namespace convoy {

namespace {

constexpr std::int32_t none = -1;

// Finds classes by their ids; by value, if the ids are numbers and the text itself is not an id ("7" for
// "0007").
class Ids {
 public:
  explicit Ids(const std::vector<std::string>& classes) {
    for (std::size_t i = 0; i < classes.size(); ++i) by_id_.emplace(classes[i], static_cast<std::int32_t>(i));
    if (!are_whole_numbers(classes)) return;
    for (std::size_t i = 0; i < classes.size(); ++i) {
      const auto value = whole_number(classes[i]);
      if (!value) continue;
      const auto [entry, added] = by_value_.emplace(*value, static_cast<std::int32_t>(i));
      if (!added) entry->second = none;
    }
  }

  std::int32_t find(const std::string& text) const {
    if (const auto found = by_id_.find(text); found != by_id_.end()) return found->second;
    const auto value = class_number(text);
    const auto found = value ? by_value_.find(*value) : by_value_.end();
    return found != by_value_.end() ? found->second : none;
  }

 private:
  std::unordered_map<std::string_view, std::int32_t> by_id_;
  std::unordered_map<std::int64_t, std::int32_t> by_value_;
};

[[noreturn]] void refuse_unknown(const GivenLabel& label, const std::vector<std::string>& classes,
                                 const std::string& where) {
  if (class_number(label.text))
    fail(ExitCode::bad_data, "{}: line {} has class {}, but there are {} classes (numbers count from 0)",
         where, label.line, label.text, classes.size());
  fail(ExitCode::bad_data, "{}: line {}: {} is not among the {} classes, which are such as {}", where,
       label.line, label.text, classes.size(), classes.front());
}

}  // namespace

std::optional<std::int64_t> class_number(std::string_view text) {
  const auto point = text.find('.');
  if (point != std::string_view::npos) {
    const std::string_view fraction = text.substr(point + 1);
    if (!std::ranges::all_of(fraction, [](char digit) { return digit == '0'; })) return {};
    text = text.substr(0, point);
  }
  return whole_number(text);
}

std::vector<std::int32_t> read_labels(const GivenLabels& labels, const std::vector<std::string>& classes,
                                      const std::string& where) {
  const Ids ids(classes);
  std::vector<std::int32_t> as_ids, as_numbers;
  const GivenLabel *no_id = nullptr, *no_number = nullptr, *doubtful = nullptr;
  for (const GivenLabel& label : labels) {
    as_ids.push_back(ids.find(label.text));
    const auto number = class_number(label.text);
    const bool valid = number && *number < static_cast<std::int64_t>(classes.size());
    as_numbers.push_back(valid ? static_cast<std::int32_t>(*number) : none);
    if (as_ids.back() == none && no_id == nullptr) no_id = &label;
    if (!valid && no_number == nullptr) no_number = &label;
    if (as_ids.back() != as_numbers.back() && doubtful == nullptr) doubtful = &label;
  }
  if (no_id != nullptr && no_number != nullptr) {
    // The kind of the other labels shows which of the two is wrong.
    const auto unknown = std::ranges::count(as_ids, none), invalid = std::ranges::count(as_numbers, none);
    refuse_unknown(unknown <= invalid ? *no_id : *no_number, classes, where);
  }
  if (no_id != nullptr) return as_numbers;
  if (no_number != nullptr || doubtful == nullptr) return as_ids;
  const auto at = static_cast<std::size_t>(doubtful - labels.data());
  fail(
      ExitCode::bad_data,
      "{}: line {}: {} can be the class called {} or the class with the number {} (counted from 0), which is "
      "called {}: put the images into class folders instead",
      where, doubtful->line, doubtful->text, classes[static_cast<std::size_t>(as_ids[at])], doubtful->text,
      classes[static_cast<std::size_t>(as_numbers[at])]);
}

}  // namespace convoy
