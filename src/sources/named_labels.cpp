#include "sources/named_labels.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/error.hpp"
#include "base/text_list.hpp"
#include "sources/image_names.hpp"
#include "sources/text_table.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t listed = 5;  // examples in a message

// The records of a list, the column with the images' names and the column with their classes.
struct NamedTable {
  TextTable table;
  std::size_t names = 0, classes = 0;
  std::int64_t score = 0;
};

// The column by which most records name an image; a name with its extension counts more, so that a running
// number is not taken for the image "1.jpg".
void find_columns(NamedTable& list, const ImageNames& images) {
  constexpr std::size_t searched_columns = 8;
  std::vector<std::int64_t> scores(searched_columns), columns(searched_columns);
  for (const TextRecord& record : list.table.records) {
    if (record.fields.size() < 2) continue;
    for (std::size_t c = 0; c < std::min(record.fields.size(), searched_columns); ++c) {
      const NameMatch match = images.find(record.fields[c]);
      if (match.item < 0) continue;
      scores[c] += match.with_extension ? 2 : 1;
      columns[c] = std::max(columns[c], static_cast<std::int64_t>(record.fields.size()));
    }
  }
  const auto best = std::ranges::max_element(scores);
  list.score = *best;
  list.names = static_cast<std::size_t>(best - scores.begin());
  const bool last = list.names + 1 >= static_cast<std::size_t>(columns[list.names]);
  list.classes = last && list.names > 0 ? list.names - 1 : list.names + 1;
}

NamedTable best_table(std::string_view text, const ImageNames& images) {
  constexpr std::array separators{Separator::tab, Separator::comma, Separator::semicolon,
                                  Separator::last_blank, Separator::first_blank};
  NamedTable best;
  for (const Separator separator : separators) {
    NamedTable list;
    list.table = split_records(text, separator);
    find_columns(list, images);
    if (list.score > best.score) best = std::move(list);
  }
  return best;
}

bool is_title_of_classes(std::string text) {
  constexpr std::array<std::string_view, 8> titles{"label",  "class", "category", "target",
                                                   "synset", "wnid",  "breed",    "species"};
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return std::ranges::find(titles, text) != titles.end();
}

// A header tells in which of several columns ("file,split,label") the classes are.
void use_titles(NamedTable& list, const ImageNames& images) {
  const std::vector<std::string>& titles = list.table.records.front().fields;
  if (list.names >= titles.size() || images.find(titles[list.names]).item >= 0) return;
  const auto title = std::ranges::find_if(titles, is_title_of_classes);
  if (title == titles.end() || std::find_if(title + 1, titles.end(), is_title_of_classes) != titles.end())
    return;
  const auto column = static_cast<std::size_t>(title - titles.begin());
  if (column != list.names) list.classes = column;
}

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

  GivenLabels collect(const std::vector<std::string>& known) {
    const auto& records = list_.table.records;
    for (std::size_t i = 0; i < records.size(); ++i) {
      const NameMatch match = images_.find(name_of(records[i]));
      if (match.item < 0) {
        if (i == 0 && is_header(records[i], known)) continue;
        without_image_.push_back(&records[i]);
        continue;
      }
      refuse_ambiguous(records[i], match);
      add(records[i], static_cast<std::size_t>(match.item));
    }
    refuse_names_without_image();
    refuse_images_without_line();
    return std::move(labels_);
  }

 private:
  const std::string& name_of(const TextRecord& record) const {
    static const std::string none;
    return list_.names < record.fields.size() ? record.fields[list_.names] : none;
  }

  std::string class_of(const TextRecord& record) const {
    const bool present = list_.classes < record.fields.size() && !record.fields[list_.classes].empty();
    if (!present)
      fail(ExitCode::bad_data, "{}: line {} has no class for {}", path_, record.line, name_of(record));
    std::string text = class_of_field(record.fields[list_.classes]);
    if (text.empty())
      fail(ExitCode::bad_data, "{}: line {} has boxes of different classes for {}", path_, record.line,
           name_of(record));
    return text;
  }

  bool is_header(const TextRecord& record, const std::vector<std::string>& known) const {
    if (list_.classes >= record.fields.size()) return false;
    const std::string& title = record.fields[list_.classes];
    if (named_like_image(name_of(record)) || class_of_field(title) != title || is_number(title)) return false;
    const auto same_title = [&](const TextRecord& other) {
      return &other != &record && list_.classes < other.fields.size() && other.fields[list_.classes] == title;
    };
    return std::ranges::find(known, title) == known.end() &&
           std::ranges::none_of(list_.table.records, same_title);
  }

  void refuse_ambiguous(const TextRecord& record, const NameMatch& match) const {
    if (match.other < 0) return;
    fail(ExitCode::bad_data, "{}: line {}: {} could mean {} or {}: write the paths of the images", path_,
         record.line, name_of(record), index_.items[static_cast<std::size_t>(match.item)].name,
         index_.items[static_cast<std::size_t>(match.other)].name);
  }

  void add(const TextRecord& record, std::size_t item) {
    std::string text = class_of(record);
    const TextRecord* before = std::exchange(records_[item], &record);
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
  }

  void refuse_names_without_image() const {
    if (without_image_.empty()) return;
    std::vector<std::string> examples;
    for (const TextRecord* record : without_image_) {
      if (examples.size() == listed) break;
      examples.push_back(fmt::format("{} (line {})", name_of(*record), record->line));
    }
    fail(
        ExitCode::bad_data,
        "{}: {} of the {} names are not images of the source: {}{}. The list must be of this split only, and "
        "the source complete",
        path_, without_image_.size(), list_.table.records.size(), text_list(examples),
        without_image_.size() > listed ? ", ..." : "");
  }

  void refuse_images_without_line() const {
    std::vector<std::string_view> examples;
    std::int64_t missing = 0;
    for (std::size_t item = 0; item < records_.size(); ++item) {
      if (records_[item] != nullptr) continue;
      if (examples.size() < listed) examples.push_back(index_.items[item].name);
      ++missing;
    }
    if (missing > 0)
      fail(ExitCode::bad_data, "{} has no line for {}{} ({} of the {} images)", path_, text_list(examples),
           static_cast<std::size_t>(missing) > listed ? ", ..." : "", missing, index_.items.size());
  }

  const SourceIndex& index_;
  const ImageNames& images_;
  const NamedTable& list_;
  const std::string path_;
  GivenLabels labels_;
  std::vector<const TextRecord*> records_;  // of each item
  std::vector<const TextRecord*> without_image_;
};

}  // namespace

std::optional<GivenLabels> labels_by_name(const SourceIndex& index, std::string_view text,
                                          const fs::path& path, const std::vector<std::string>& known) {
  const ImageNames images(index.items);
  NamedTable list = best_table(text, images);
  if (list.score == 0) return {};
  use_titles(list, images);
  if (list.table.open_quote > 0)
    fail(ExitCode::bad_data, "{}: the quote in line {} is never closed", path.string(),
         list.table.open_quote);
  return LabelCollector(index, images, list, path).collect(known);
}

}  // namespace convoy
