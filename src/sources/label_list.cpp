#include "sources/label_list.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/error.hpp"
#include "base/text_file.hpp"
#include "sources/class_order.hpp"
#include "sources/imagenet_devkit.hpp"
#include "sources/label_reader.hpp"
#include "sources/named_labels.hpp"
#include "sources/natural_order.hpp"
#include "sources/ordered_labels.hpp"
#include "sources/text_table.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

// Sets classes and labels. A source's folders may be its classes: an image in the folder of another class
// than its label's is refused.
void set_labels(SourceIndex& index, const GivenLabels& given, std::vector<std::string> classes,
                const std::string& where) {
  const std::vector<std::int32_t> labels = read_labels(given, classes, where);
  const std::unordered_set<std::string_view> ids(classes.begin(), classes.end());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    SourceItem& item = index.items[i];
    if (item.label >= 0) {
      const std::string& folder = index.classes[static_cast<std::size_t>(item.label)];
      const std::string& id = classes[static_cast<std::size_t>(labels[i])];
      if (folder != id && ids.contains(folder))
        fail(ExitCode::bad_data,
             "{}: line {} gives {} the class {}, but the image is in the folder of class {}: the folders "
             "alone are enough if they are right; omit --labels then",
             where, given[i].line, item.name, id, folder);
    }
    item.label = labels[i];
  }
  index.classes = std::move(classes);
}

std::vector<std::string> classes_in(const GivenLabels& labels) {
  std::unordered_set<std::string_view> texts;
  std::vector<std::string> classes;
  for (const GivenLabel& label : labels)
    if (texts.insert(label.text).second) classes.push_back(label.text);
  sort_class_ids(classes);
  return classes;
}

void apply_devkit(SourceIndex& index, const fs::path& path, const std::vector<std::string>& known) {
  const ImagenetDevkit kit = read_devkit(path);
  if (kit.ground_truth.empty())
    fail(ExitCode::bad_data, "{} contains no ILSVRC2012_validation_ground_truth.txt", path.string());
  std::unordered_map<int, std::string> wnid_of;
  // All classes of the kit, so that a validation split packed first fixes the complete list even if some
  // classes have no image.
  std::vector<std::string> all;
  for (const Synset& synset : kit.synsets) {
    wnid_of[synset.id] = synset.wnid;
    all.push_back(synset.wnid);
  }
  sort_class_ids(all);
  GivenLabels lines;
  for (const int id : kit.ground_truth) {
    const auto found = wnid_of.find(id);
    if (found == wnid_of.end())
      fail(ExitCode::bad_data, "{}: line {} of the ground truth names class {}, which meta.mat does not have",
           path.string(), lines.size() + 1, id);
    lines.push_back({found->second, lines.size() + 1});
  }
  const GivenLabels labels = labels_in_file_name_order(index, lines, path);
  set_labels(index, labels, known.empty() ? all : known, fmt::format("{}: ground truth", path.string()));
}

// A list without names, or one that names no image of the source.
void apply_lines(SourceIndex& index, std::string_view text, const fs::path& path,
                 const std::vector<std::string>& known) {
  GivenLabels lines;
  for (TextRecord& record : split_records(text, Separator::none).records)
    lines.push_back({std::move(record.fields[0]), record.line});
  if (lines.empty()) fail(ExitCode::bad_data, "{} is empty", path.string());
  const std::unordered_set<std::string_view> ids(known.begin(), known.end());
  for (const GivenLabel& line : lines) {
    if (ids.contains(line.text) || line.text.find_first_of(" \t,;") == std::string::npos) continue;
    fail(ExitCode::bad_data,
         "{} names no image of the source, and line {} is not a class: \"{}\". The images' names are such as "
         "{}; a list has one \"name,class\" per line for each of them (or only a class, in order of file "
         "names)",
         path.string(), line.line, line.text, index.items.front().name);
  }
  const bool numbers =
      std::ranges::all_of(lines, [](const auto& line) { return is_whole_number(line.text); });
  if (numbers && !are_whole_numbers(known)) {
    fail(ExitCode::usage,
         "{} contains only class numbers; the development kit's ground truth uses meta.mat's own numbering, "
         "so pass the whole kit (ILSVRC2012_devkit_t12.tar.gz)",
         path.string());
  }
  const GivenLabels labels = labels_in_file_name_order(index, lines, path);
  refuse_doubtful_order(index, labels, path);
  set_labels(index, labels, known.empty() ? classes_in(labels) : known, path.string());
}

}  // namespace

void apply_labels(SourceIndex& index, const fs::path& path, const std::vector<std::string>& known) {
  if (looks_like_devkit(path)) return apply_devkit(index, path, known);
  if (fs::is_directory(path))
    fail(ExitCode::usage, "--labels {} is a folder but not an ILSVRC2012 development kit", path.string());
  const std::string text = read_text(path);
  const auto labels = labels_by_name(index, text, path, known);
  if (!labels) return apply_lines(index, text, path, known);
  const bool numbers =
      std::ranges::all_of(*labels, [](const auto& label) { return class_number(label.text).has_value(); });
  if (known.empty() && numbers) {
    fail(ExitCode::usage,
         "{} contains class numbers, which refer to the order of the classes: "
         "pack the training split first, or pass --class-list",
         path.string());
  }
  set_labels(index, *labels, known.empty() ? classes_in(*labels) : known, path.string());
}

}  // namespace convoy
