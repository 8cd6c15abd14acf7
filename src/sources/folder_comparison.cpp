#include "sources/folder_comparison.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/lower_case.hpp"

namespace convoy {

namespace {

std::size_t at(std::ptrdiff_t number) {
  return static_cast<std::size_t>(number);
}

}  // namespace

FolderComparison::FolderComparison(const SourceIndex& index, const std::vector<std::string>& classes,
                                   const std::string& where)
    : index_(index),
      classes_(classes),
      where_(where),
      exact_(classes.begin(), classes.end()),
      label_of_(index.classes.size(), -1),
      folder_of_(classes.size(), -1) {
  for (const std::string& id : classes) lower_classes_.push_back(lower_case(id));
  for (const std::string& folder : index.classes) lower_folders_.push_back(lower_case(folder));
  const std::unordered_set<std::string_view> lower(lower_classes_.begin(), lower_classes_.end());
  for (const std::string& folder : lower_folders_) is_class_.push_back(lower.contains(folder));
}

void FolderComparison::require_all_folders() {
  const auto found = std::ranges::find(is_class_, true);
  if (found != is_class_.end()) example_ = &index_.classes[at(found - is_class_.begin())];
}

void FolderComparison::add(const SourceItem& item, std::int32_t label, std::size_t line) {
  if (item.label < 0) return;
  const std::string &folder = index_.classes[at(item.label)], &id = classes_[at(label)];
  const bool same = folder == id ||
                    (lower_folders_[at(item.label)] == lower_classes_[at(label)] && !exact_.contains(folder));
  if (!same && is_class_[at(item.label)])
    fail(ExitCode::bad_data,
         "{}: line {} gives {} the class {}, but the image is in the folder of class {}: the folders "
         "alone are enough if they are right; omit --labels then",
         where_, line, item.name, id, folder);
  if (!same && example_ != nullptr)
    fail(ExitCode::bad_data,
         "{}: line {} gives {} the class {}, but the image is in the folder {}, and folders such as {} are "
         "classes: the folders alone are enough if they are right; omit --labels then",
         where_, line, item.name, id, folder, *example_);
  remark(item.label, label);
}

void FolderComparison::remark(std::int32_t folder, std::int32_t label) {
  if (index_.classes.size() < 2) return;  // a folder of all images says nothing about classes
  std::int32_t &label_before = label_of_[at(folder)], &folder_before = folder_of_[at(label)];
  if (warning_.empty() && label_before >= 0 && label_before != label)
    warning_ = fmt::format("{}: images of the folder {} have several classes, such as {} and {}", where_,
                           index_.classes[at(folder)], classes_[at(label_before)], classes_[at(label)]);
  else if (warning_.empty() && folder_before >= 0 && folder_before != folder)
    warning_ =
        fmt::format("{}: images of the folders {} and {} have the same class, {}", where_,
                    index_.classes[at(folder_before)], index_.classes[at(folder)], classes_[at(label)]);
  label_before = label;
  folder_before = folder;
}

}  // namespace convoy
