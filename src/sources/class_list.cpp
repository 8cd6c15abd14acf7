#include "sources/class_list.hpp"

#include <algorithm>
#include <span>
#include <unordered_map>
#include <unordered_set>

#include "base/error.hpp"
#include "base/text_file.hpp"
#include "base/text_list.hpp"
#include "sources/class_order.hpp"
#include "sources/imagenet_devkit.hpp"
#include "sources/named_table.hpp"
#include "sources/natural_order.hpp"
#include "sources/text_table.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

// The records of a file that has any.
std::vector<ListRecord> records_of(const fs::path& path, std::string_view text, Separator separator) {
  ListTable table = split_records(text, separator);
  if (table.records.empty()) fail(ExitCode::bad_data, "{} is empty", path.string());
  if (table.open_quote > 0)
    fail(ExitCode::bad_data, "{}: the quote in line {} is never closed", path.string(), table.open_quote);
  return std::move(table.records);
}

constexpr std::size_t synset_letters = 9;  // "n01440764"

// Whether a line is a synset of WordNet and something after it.
bool is_synset_with_words(std::string_view line) {
  return line.size() > synset_letters && line.front() == 'n' &&
         is_whole_number(line.substr(1, synset_letters - 1)) &&
         std::string_view(" \t,;").find(line[synset_letters]) != std::string_view::npos;
}

// The records split where most of them begin with an id.
std::vector<ListRecord> named_records(const fs::path& path, const std::vector<std::string>& ids) {
  const std::unordered_set<std::string_view> known(ids.begin(), ids.end());
  const std::string text = read_text(path);
  Separator best = Separator::first_blank;
  std::ptrdiff_t most = 0;
  for (const Separator separator :
       {Separator::tab, Separator::comma, Separator::semicolon, Separator::first_blank}) {
    const auto found =
        std::ranges::count_if(split_records(text, separator).records, [&](const ListRecord& record) {
          return record.fields.size() > 1 && known.contains(record.fields[0]);
        });
    if (found <= most) continue;
    most = found;
    best = separator;
  }
  return records_of(path, text, best);
}

// Whether the fields of a record are columns and not words with commas between them: all records have equally
// many, and a header begins them or none of them looks like a text.
bool are_columns(const std::vector<ListRecord>& records) {
  const ListRecord& first = records.front();
  if (!std::ranges::all_of(
          records, [&](const ListRecord& record) { return record.fields.size() == first.fields.size(); }))
    return false;
  return is_title_of_classes(first.fields[0]) || is_title_of_images(first.fields[0]) ||
         std::ranges::none_of(records, &ListRecord::like_text);
}

// Words with unquoted commas are in several fields; further columns are not words.
std::string words_of(const ListRecord& record, bool columns) {
  const auto words = std::span(record.fields).subspan(1);
  return columns ? words.front() : text_list(words);
}

// Throws ExitCode::bad_data for an id in two lines.
void check_unique(const fs::path& path, const std::vector<ListRecord>& lines) {
  std::unordered_map<std::string_view, std::size_t> line_of;
  for (const ListRecord& line : lines) {
    const auto [before, added] = line_of.emplace(line.fields[0], line.line);
    if (!added)
      fail(ExitCode::bad_data, "{}: class {} occurs twice, in lines {} and {}", path.string(), line.fields[0],
           before->second, line.line);
  }
}

}  // namespace

std::vector<std::string> read_class_list(const fs::path& path) {
  const std::string text = read_text(path);
  const std::vector<ListRecord> lines = records_of(path, text, Separator::none);
  if (std::ranges::all_of(lines, [](const auto& line) { return is_synset_with_words(line.fields[0]); })) {
    fail(ExitCode::bad_data,
         "--class-list {} has words after the ids: pass it as --class-names, and here a file of ids only",
         path.string());
  }
  check_unique(path, lines);
  std::vector<std::string> ids(lines.size());
  std::ranges::transform(lines, ids.begin(), [](const ListRecord& line) { return line.fields[0]; });
  return ids;
}

std::map<std::string, std::string> read_class_names(const fs::path& path,
                                                    const std::vector<std::string>& ids) {
  std::map<std::string, std::string> names;
  if (looks_like_devkit(path)) {
    for (const Synset& synset : read_devkit(path).synsets) names[synset.wnid] = synset.words;
    return names;
  }
  const std::vector<ListRecord> records = named_records(path, ids);
  const bool columns = are_columns(records);
  std::unordered_map<std::string_view, std::size_t> line_of;
  for (const ListRecord& record : records) {
    const std::string& id = record.fields[0];
    if (record.fields.size() < 2)
      fail(ExitCode::bad_data, "{}: line {}: \"{}\" is not a class id followed by its name", path.string(),
           record.line, id);
    const std::string words = words_of(record, columns);
    const auto [before, added] = names.emplace(id, words);
    if (added)
      line_of[id] = record.line;
    else if (before->second != words)
      fail(ExitCode::bad_data, "{}: lines {} and {} name class {} differently", path.string(), line_of[id],
           record.line, id);
  }
  return names;
}

std::vector<ClassEntry> read_output_classes(const fs::path& path) {
  std::vector<ClassEntry> classes;
  if (looks_like_devkit(path)) {
    for (const Synset& synset : read_devkit(path).synsets) classes.push_back({synset.wnid, synset.words});
    std::ranges::sort(classes, {}, &ClassEntry::id);
    return classes;
  }
  const std::string text = read_text(path);
  std::vector<ListRecord> lines = records_of(path, text, Separator::none);
  if (std::ranges::all_of(lines, [](const auto& line) { return is_synset_with_words(line.fields[0]); })) {
    std::vector<std::string> ids;
    ids.reserve(lines.size());
    for (ListRecord& line : lines) ids.push_back(line.fields[0] = line.fields[0].substr(0, synset_letters));
    check_unique(path, lines);
    return name_classes(ids, read_class_names(path, ids));
  }
  const std::vector<ListRecord> columns = records_of(path, text, Separator::tab);
  if (std::ranges::all_of(columns, [](const ListRecord& record) { return record.fields.size() == 2; })) {
    check_unique(path, columns);
    classes.reserve(columns.size());
    for (const ListRecord& line : columns) classes.push_back({line.fields[0], line.fields[1]});
    return classes;
  }
  std::map<std::string, int> times;
  for (const ListRecord& line : lines) {
    const std::string& name = line.fields[0];
    const int number = ++times[name];
    classes.push_back({number == 1 ? name : fmt::format("{} {}", name, number), name});
  }
  return classes;
}

std::vector<ClassEntry> name_classes(const std::vector<std::string>& ids,
                                     const std::map<std::string, std::string>& names) {
  std::vector<ClassEntry> classes;
  bool any = false;
  for (const std::string& id : ids) {
    const auto found = names.find(id);
    any = any || found != names.end();
    classes.push_back({id, found == names.end() ? id : found->second});
  }
  if (!names.empty() && !any)
    fail(ExitCode::usage, "--class-names contains none of the classes: it has {}, the data {}",
         names.begin()->first, ids.front());
  return classes;
}

void relabel(SourceIndex& index, const std::vector<std::string>& classes) {
  std::unordered_map<std::string_view, std::int32_t> new_label;
  for (std::size_t i = 0; i < classes.size(); ++i) new_label[classes[i]] = static_cast<std::int32_t>(i);
  std::vector<std::int32_t> label_of(index.classes.size(), -1);
  std::vector<std::string> unknown;
  for (std::size_t i = 0; i < index.classes.size(); ++i) {
    const auto found = new_label.find(index.classes[i]);
    if (found != new_label.end())
      label_of[i] = found->second;
    else
      unknown.push_back(index.classes[i]);
  }
  if (!unknown.empty()) {
    constexpr std::size_t listed = 5;
    fail(ExitCode::bad_data,
         "{} of the source's classes are not among the store's {}: {}{}. All splits of a store share "
         "the classes of the split packed first, or of --class-list{}",
         unknown.size(), classes.size(),
         text_list(std::span(unknown).first(std::min(unknown.size(), listed))),
         unknown.size() > listed ? ", ..." : "",
         are_whole_numbers(index.classes)
             ? fmt::format("; folders are read as labels only if they are all of 0 to {}", classes.size() - 1)
             : "");
  }
  for (SourceItem& item : index.items) item.label = label_of[static_cast<std::size_t>(item.label)];
  index.classes = classes;
}

}  // namespace convoy
