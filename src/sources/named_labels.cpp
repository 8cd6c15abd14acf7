#include "sources/named_labels.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/error.hpp"
#include "base/text_list.hpp"
#include "sources/named_table.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t listed = 5;  // examples in a message

bool is_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (text = without_blanks(text); !text.empty(); text = without_blanks(text)) {
    const std::size_t length = std::min(text.find_first_of(" \t"), text.size());
    words.push_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return words;
}

// The class of a field. ImageNet's localisation lists have "n01440764 111 108 230 366" there: a class and the
// corners of a box, once for each object of the image. Empty if the boxes are of different classes.
std::string class_of_field(const std::string& field) {
  constexpr std::size_t box_words = 5;
  const std::vector<std::string_view> words = words_of(field);
  if (words.empty() || words.size() % box_words != 0) return field;
  for (std::size_t i = 0; i < words.size(); ++i)
    if (i % box_words != 0 && !is_number(words[i])) return field;
  for (std::size_t i = box_words; i < words.size(); i += box_words)
    if (words[i] != words[0]) return {};
  return std::string(words[0]);
}

// Turns the records of a list into one label for each image.
class LabelCollector {
 public:
  LabelCollector(const SourceIndex& index, const ImageNames& images, const NamedTable& list,
                 const fs::path& path)
      : index_(index),
        images_(images),
        list_(list),
        path_(path.string()),
        labels_(index.items.size()),
        records_(index.items.size()) {}

  NamedLabels collect(const std::vector<std::string>& known) {
    const auto& records = list_.table.records;
    for (std::size_t i = 0; i < records.size(); ++i) {
      const NameMatch match = images_.find(name_of(records[i]));
      const bool other_folders = list_.folders_count && match.folders == NameMatch::Folders::different;
      if (match.item < 0 || other_folders) {
        if (i == 0 && is_header(records[i], known)) continue;
        without_image_.push_back(&records[i]);
        continue;
      }
      refuse_ambiguous(records[i], match);
      add(records[i], static_cast<std::size_t>(match.item));
    }
    refuse_unmatched();
    return {std::move(labels_), repeats_};
  }

 private:
  const std::string& name_of(const ListRecord& record) const {
    static const std::string none;
    return list_.names < record.fields.size() ? record.fields[list_.names] : none;
  }

  std::string class_of(const ListRecord& record) const {
    const bool present = list_.classes < record.fields.size() && !record.fields[list_.classes].empty();
    if (!present)
      fail(ExitCode::bad_data, "{}: line {} has no class for {}", path_, record.line, name_of(record));
    std::string text = class_of_field(record.fields[list_.classes]);
    if (text.empty())
      fail(ExitCode::bad_data, "{}: line {} has boxes of different classes for {}", path_, record.line,
           name_of(record));
    return text;
  }

  bool is_header(const ListRecord& record, const std::vector<std::string>& known) const {
    if (list_.classes >= record.fields.size()) return false;
    const std::string& title = record.fields[list_.classes];
    const bool has_title = std::ranges::any_of(record.fields, is_title_of_classes) ||
                           std::ranges::any_of(record.fields, is_title_of_images);
    // Without known classes, any text can be a class.
    if (known.empty() && !has_title) return false;
    if (named_like_image(name_of(record)) || class_of_field(title) != title || is_number(title)) return false;
    const auto same_title = [&](const ListRecord& other) {
      return &other != &record && list_.classes < other.fields.size() && other.fields[list_.classes] == title;
    };
    return std::ranges::find(known, title) == known.end() &&
           std::ranges::none_of(list_.table.records, same_title);
  }

  void refuse_ambiguous(const ListRecord& record, const NameMatch& match) const {
    if (match.other < 0) return;
    fail(ExitCode::bad_data, "{}: line {}: {} could mean {} or {}: write the paths of the images", path_,
         record.line, name_of(record), index_.items[static_cast<std::size_t>(match.item)].name,
         index_.items[static_cast<std::size_t>(match.other)].name);
  }

  void add(const ListRecord& record, std::size_t item) {
    std::string text = class_of(record);
    const ListRecord* before = std::exchange(records_[item], &record);
    if (before == nullptr) {
      labels_[item] = {std::move(text), record.line};
      return;
    }
    if (name_of(*before) != name_of(record))
      fail(ExitCode::bad_data, "{}: lines {} and {} ({} and {}) both mean {}", path_, before->line,
           record.line, name_of(*before), name_of(record), index_.items[item].name);
    if (labels_[item].text != text)
      fail(ExitCode::bad_data, "{}: lines {} and {} give {} different classes: {} and {}", path_,
           before->line, record.line, name_of(record), labels_[item].text, text);
    ++repeats_;
  }

  void refuse_unmatched() const {
    const std::string unknown = names_without_image(), missing = images_without_line();
    if (unknown.empty() && missing.empty()) return;
    const ListRecord& first = list_.table.records.front();
    const bool perhaps_header = !without_image_.empty() && without_image_.front() == &first;
    fail(ExitCode::bad_data, "{}: {}{}{}{}{}", path_, unknown, unknown.empty() || missing.empty() ? "" : "; ",
         missing, unknown.empty() ? "" : ". The list must be of this split only, and the source complete",
         perhaps_header ? fmt::format("; if line {} is a header, remove it", first.line) : "");
  }

  std::string names_without_image() const {
    if (without_image_.empty()) return {};
    std::vector<std::string> examples;
    for (const ListRecord* record : without_image_) {
      if (examples.size() == listed) break;
      examples.push_back(fmt::format("{} (line {})", name_of(*record), record->line));
    }
    return fmt::format("{} of the {} names are not images of the source: {}{}", without_image_.size(),
                       list_.table.records.size(), text_list(examples),
                       without_image_.size() > listed ? ", ..." : "");
  }

  std::string images_without_line() const {
    std::vector<std::string_view> examples;
    std::size_t missing = 0;
    for (std::size_t item = 0; item < records_.size(); ++item) {
      if (records_[item] != nullptr) continue;
      if (examples.size() < listed) examples.push_back(index_.items[item].name);
      ++missing;
    }
    if (missing == 0) return {};
    return fmt::format("there is no line for {}{} ({} of the {} images)", text_list(examples),
                       missing > listed ? ", ..." : "", missing, index_.items.size());
  }

  const SourceIndex& index_;
  const ImageNames& images_;
  const NamedTable& list_;
  const std::string path_;
  GivenLabels labels_;
  std::int64_t repeats_ = 0;
  std::vector<const ListRecord*> records_;  // of each item
  std::vector<const ListRecord*> without_image_;
};

}  // namespace

std::optional<NamedLabels> labels_by_name(const SourceIndex& index, std::string_view text,
                                          const fs::path& path, const std::vector<std::string>& known) {
  const ImageNames images(index.items);
  const std::optional<NamedTable> list = find_named_table(text, images, path);
  if (!list) return {};
  if (list->table.open_quote > 0)
    fail(ExitCode::bad_data, "{}: the quote in line {} is never closed", path.string(),
         list->table.open_quote);
  return LabelCollector(index, images, *list, path).collect(known);
}

}  // namespace convoy
