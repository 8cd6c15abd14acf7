#include "data/class_list.hpp"

#include <algorithm>
#include <charconv>
#include <set>
#include <span>
#include <sstream>
#include <unordered_map>

#include "base/error.hpp"
#include "base/text_file.hpp"
#include "base/text_list.hpp"
#include "data/imagenet_devkit.hpp"
#include "data/source_kinds.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank_letters = " \t\r";
  const auto first = text.find_first_not_of(blank_letters);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank_letters) - first + 1);
}

// The non-blank lines of a text file, trimmed.
std::vector<std::string> read_lines(const fs::path& path) {
  std::istringstream text(read_text(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);)
    if (const auto content = trimmed(line); !content.empty()) lines.emplace_back(content);
  if (lines.empty()) fail(ExitCode::bad_data, "{} is empty", path.string());
  return lines;
}

// Items in order of their file names.
std::vector<SourceItem*> by_file_name(SourceIndex& index) {
  std::vector<SourceItem*> order;
  for (SourceItem& item : index.items) order.push_back(&item);
  std::ranges::sort(order, {}, [](const SourceItem* item) { return file_name(item->name); });
  return order;
}

void require_count(const SourceIndex& index, std::size_t count, const fs::path& labels) {
  if (index.items.size() == count) return;
  fail(ExitCode::bad_data,
       "{} contains {} labels but the source has {} images: is it the other split's, "
       "or is the source incomplete?",
       labels.string(), count, index.items.size());
}

void apply_ids(SourceIndex& index, const std::vector<std::string>& ids, const fs::path& labels) {
  require_count(index, ids.size(), labels);
  std::set<std::string> sorted(ids.begin(), ids.end());
  index.classes.assign(sorted.begin(), sorted.end());
  const auto order = by_file_name(index);
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i]->label =
        static_cast<std::int32_t>(std::ranges::lower_bound(index.classes, ids[i]) - index.classes.begin());
  }
}

void apply_devkit(SourceIndex& index, const fs::path& labels) {
  const ImagenetDevkit kit = read_devkit(labels);
  if (kit.ground_truth.empty())
    fail(ExitCode::bad_data, "{} contains no ILSVRC2012_validation_ground_truth.txt", labels.string());
  std::unordered_map<int, std::string> wnid_of;
  for (const Synset& synset : kit.synsets) wnid_of[synset.id] = synset.wnid;
  std::vector<std::string> ids;
  for (const int id : kit.ground_truth) {
    const auto found = wnid_of.find(id);
    if (found == wnid_of.end())
      fail(ExitCode::bad_data, "{}: line {} of the ground truth names class {}, which meta.mat does not have",
           labels.string(), ids.size() + 1, id);
    ids.push_back(found->second);
  }
  require_count(index, ids.size(), labels);
  // All classes of the kit, so that a validation split packed first fixes the complete list even if some
  // classes have no image.
  std::vector<std::string> all;
  for (const Synset& synset : kit.synsets) all.push_back(synset.wnid);
  apply_ids(index, ids, labels);
  std::ranges::sort(all);
  relabel(index, all);
}

// Splits "name 65" at its last blank; false if the line has a different form.
bool split_caffe_line(std::string_view line, std::string_view& name, int& label) {
  const auto blank = line.find_last_of(" \t");
  if (blank == std::string_view::npos) return false;
  name = file_name(trimmed(line.substr(0, blank)));
  const auto number = line.substr(blank + 1);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), label);
  return error == std::errc() && end == number.data() + number.size();
}

void apply_caffe(SourceIndex& index, const std::vector<std::string>& lines, const fs::path& labels,
                 const std::vector<std::string>& known) {
  if (known.empty()) {
    fail(ExitCode::usage,
         "{} contains class numbers, which refer to the order of the classes: "
         "pack the training split first, or pass --class-list",
         labels.string());
  }
  std::unordered_map<std::string_view, int> label_of;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::string_view name;
    int label = 0;
    if (!split_caffe_line(lines[i], name, label))
      fail(ExitCode::bad_data, "{}: line {} is not \"file-name class-number\": {}", labels.string(), i + 1,
           lines[i]);
    if (label < 0 || static_cast<std::size_t>(label) >= known.size())
      fail(ExitCode::bad_data, "{}: line {} has class {}, but there are {} classes", labels.string(), i + 1,
           label, known.size());
    label_of[name] = label;
  }
  index.classes = known;
  for (SourceItem& item : index.items) {
    const auto found = label_of.find(file_name(item.name));
    if (found == label_of.end())
      fail(ExitCode::bad_data, "{} has no line for {}", labels.string(), item.name);
    item.label = found->second;
  }
}

}  // namespace

std::vector<std::string> read_class_list(const fs::path& path) {
  std::vector<std::string> ids = read_lines(path);
  std::set<std::string> seen;
  for (const std::string& id : ids)
    if (!seen.insert(id).second) fail(ExitCode::bad_data, "{}: class {} occurs twice", path.string(), id);
  return ids;
}

std::map<std::string, std::string> read_class_names(const fs::path& path) {
  std::map<std::string, std::string> names;
  if (looks_like_devkit(path)) {
    for (const Synset& synset : read_devkit(path).synsets) names[synset.wnid] = synset.words;
    return names;
  }
  for (const std::string& line : read_lines(path)) {
    const auto blank = line.find_first_of(" \t");
    if (blank == std::string::npos)
      fail(ExitCode::bad_data, "{}: \"{}\" is not a class id followed by its name", path.string(), line);
    names[line.substr(0, blank)] = trimmed(std::string_view(line).substr(blank));
  }
  return names;
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

void apply_labels(SourceIndex& index, const fs::path& labels, const std::vector<std::string>& known) {
  if (looks_like_devkit(labels)) return apply_devkit(index, labels);
  if (fs::is_directory(labels))
    fail(ExitCode::usage, "--labels {} is a folder but not an ILSVRC2012 development kit", labels.string());
  const std::vector<std::string> lines = read_lines(labels);
  std::string_view name;
  int label = 0;
  if (split_caffe_line(lines.front(), name, label)) return apply_caffe(index, lines, labels, known);
  const bool numbers = lines.front().find_first_not_of("0123456789") == std::string::npos;
  if (numbers) {
    fail(ExitCode::usage,
         "{} contains only class numbers; the development kit's ground truth uses meta.mat's own numbering, "
         "so pass the whole kit (ILSVRC2012_devkit_t12.tar.gz)",
         labels.string());
  }
  apply_ids(index, lines, labels);
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
         "the classes of the split packed first, or of --class-list",
         unknown.size(), classes.size(),
         text_list(std::span(unknown).first(std::min(unknown.size(), listed))),
         unknown.size() > listed ? ", ..." : "");
  }
  for (SourceItem& item : index.items) item.label = label_of[static_cast<std::size_t>(item.label)];
  index.classes = classes;
}

}  // namespace convoy
