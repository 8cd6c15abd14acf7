// The folders that a source has for its classes, compared with the classes that a list of labels gives. Used
// by label_list.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "sources/source.hpp"

namespace convoy {

class FolderComparison {
 public:
  // `index`: with the labels of its folders. `classes`: those of the list, or the store's. `where`: the list,
  // for messages. All three must outlive the object.
  FolderComparison(const SourceIndex& index, const std::vector<std::string>& classes,
                   const std::string& where);

  // Refuses folders that are not classes from now on if any folder is one: in the first split, the list would
  // otherwise remove a class.
  void require_all_folders();

  // For each item in turn: `label` and `line` are the list's. Throws ExitCode::bad_data if the item is in the
  // folder of another class; the case of letters does not count.
  void add(const SourceItem& item, std::int32_t label, std::size_t line);

  // Empty, or a remark on folders that are not the classes: probably they are something else, but the list
  // may be of other images.
  const std::string& warning() const { return warning_; }

 private:
  void remark(std::int32_t folder, std::int32_t label);

  const SourceIndex& index_;
  const std::vector<std::string>& classes_;
  const std::string& where_;
  std::unordered_set<std::string_view> exact_;  // the classes
  std::vector<std::string> lower_classes_, lower_folders_;
  std::vector<bool> is_class_;                      // of each folder
  const std::string* example_ = nullptr;            // a folder that is a class, if all of them must be
  std::vector<std::int32_t> label_of_, folder_of_;  // the last of each folder and label; -1: none yet
  std::string warning_;
};

}  // namespace convoy
