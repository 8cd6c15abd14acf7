#include "sources/label_list.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/error.hpp"
#include "base/text_file.hpp"
#include "sources/class_order.hpp"
#include "sources/folder_comparison.hpp"
#include "sources/image_names.hpp"
#include "sources/imagenet_devkit.hpp"
#include "sources/label_reader.hpp"
#include "sources/named_labels.hpp"
#include "sources/natural_order.hpp"
#include "sources/ordered_labels.hpp"
#include "sources/text_table.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

// Sets classes and labels: `known`, or `classes` if nothing is known.
void set_labels(SourceIndex& index, const GivenLabels& given, const std::vector<std::string>& known,
                std::vector<std::string> classes, const std::string& where) {
  if (!known.empty()) classes = known;
  const std::vector<std::int32_t> labels = read_labels(given, classes, where);
  FolderComparison folders(index, classes, where);
  if (known.empty()) folders.require_all_folders();
  for (std::size_t i = 0; i < labels.size(); ++i) folders.add(index.items[i], labels[i], given[i].line);
  for (std::size_t i = 0; i < labels.size(); ++i) index.items[i].label = labels[i];
  if (!folders.warning().empty()) index.warnings.push_back(folders.warning());
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
  set_labels(index, labels, known, std::move(all), fmt::format("{}: ground truth", path.string()));
}

// Whether a text contains a file name with an extension of images.
bool mentions_image(std::string_view text) {
  const auto in_extension = [](char letter) {
    return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') ||
           (letter >= 'A' && letter <= 'Z');
  };
  for (auto dot = text.find('.'); dot != std::string_view::npos; dot = text.find('.', dot + 1)) {
    const auto end =
        std::find_if_not(text.begin() + static_cast<std::ptrdiff_t>(dot) + 1, text.end(), in_extension);
    if (named_like_image(
            fmt::format("x{}", std::string_view(text.begin() + static_cast<std::ptrdiff_t>(dot), end))))
      return true;
  }
  return false;
}

// Any text could be a class, also a line of a list in a form that is not supported, or the name of an image.
void refuse_lines_that_are_no_classes(const SourceIndex& index, const GivenLabels& lines,
                                      const fs::path& path, const std::vector<std::string>& known) {
  constexpr std::string_view separators = " \t,;|:={";
  const ImageNames images(index.items);
  const std::unordered_set<std::string_view> ids(known.begin(), known.end());
  std::unordered_set<std::string_view> texts;
  for (const GivenLabel& line : lines) {
    texts.insert(line.text);
    if (ids.contains(line.text)) continue;
    const bool separated = line.text.find_first_of(separators) != std::string::npos;
    if (!separated && !mentions_image(line.text) && images.find(line.text).item < 0) continue;
    fail(ExitCode::bad_data,
         "{} names no image of the source with its class, and line {} is not a class: \"{}\". The images' "
         "names are such as {}; a list has one \"name,class\" per line for each of them (or only a class, in "
         "order of file names; pass classes with such names as --class-list)",
         path.string(), line.line, line.text, index.items.front().name);
  }
  if (known.empty() && lines.size() > 1 && texts.size() == lines.size())
    fail(
        ExitCode::bad_data,
        "{}: each line is another class, such as \"{}\": this is probably not a list of the images' classes. "
        "A list has one \"name,class\" per line; if every image is of another class, pass the classes as "
        "--class-list",
        path.string(), lines.front().text);
}

// A list without names, or one that names no image of the source.
void apply_lines(SourceIndex& index, std::string_view text, const fs::path& path,
                 const std::vector<std::string>& known) {
  GivenLabels lines;
  for (ListRecord& record : split_records(text, Separator::none).records)
    lines.push_back({std::move(record.fields[0]), record.line});
  if (lines.empty()) fail(ExitCode::bad_data, "{} is empty", path.string());
  const bool numbers =
      std::ranges::all_of(lines, [](const auto& line) { return is_whole_number(line.text); });
  if (numbers && !are_whole_numbers(known)) {
    fail(ExitCode::usage,
         "{} contains only class numbers; the development kit's ground truth uses meta.mat's own numbering, "
         "so pass the whole kit (ILSVRC2012_devkit_t12.tar.gz), or use a list with the images' names",
         path.string());
  }
  if (!numbers) refuse_lines_that_are_no_classes(index, lines, path, known);
  const GivenLabels labels = labels_in_file_name_order(index, lines, path);
  refuse_doubtful_order(index, labels, path);
  set_labels(index, labels, known, classes_in(labels), path.string());
}

}  // namespace

void apply_labels(SourceIndex& index, const fs::path& path, const std::vector<std::string>& known) {
  if (looks_like_devkit(path)) return apply_devkit(index, path, known);
  if (fs::is_directory(path))
    fail(ExitCode::usage, "--labels {} is a folder but not an ILSVRC2012 development kit", path.string());
  const std::string text = read_text(path);
  const auto named = labels_by_name(index, text, path, known);
  if (!named) return apply_lines(index, text, path, known);
  const GivenLabels& labels = named->labels;
  const bool numbers =
      std::ranges::all_of(labels, [](const auto& label) { return class_number(label.text).has_value(); });
  if (known.empty() && numbers) {
    fail(ExitCode::usage,
         "{} contains class numbers, which refer to the order of the classes: "
         "pack the training split first, or pass --class-list",
         path.string());
  }
  set_labels(index, labels, known, classes_in(labels), path.string());
  if (named->repeats > 0)
    index.warnings.push_back(
        fmt::format("{}: repeated lines with the same image and class: {}", path.string(), named->repeats));
}

}  // namespace convoy
