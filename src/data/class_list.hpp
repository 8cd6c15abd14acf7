// Which classes a store has, in which order and with which words, and which of them an image belongs to when
// it lies in no class folder. Used by pack on rank 0. A store's classes are fixed by the split that is packed
// first.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/source.hpp"
#include "data/store.hpp"

namespace convoy {

// --class-list: one id a line, in label order; blank lines are passed over. Throws ExitCode::bad_data for an
// id that stands twice or a file without any.
std::vector<std::string> read_class_list(const std::filesystem::path& path);

// --class-names: "n01440764 tench, Tinca tinca" a line (id, blank, words), or the ILSVRC2012 development kit.
// Words by id.
std::map<std::string, std::string> read_class_names(const std::filesystem::path& path);

// Ids with their words; a class without words is called by its id. Throws ExitCode::usage when `names` is not
// empty but knows none of the ids.
std::vector<ClassEntry> name_classes(const std::vector<std::string>& ids,
                                     const std::map<std::string, std::string>& names);

// --labels, for a source whose images lie in no class folders: sets the items' labels and index.classes from
//   the ILSVRC2012 development kit (its ground truth, in order of file names);
//   Caffe's val.txt ("ILSVRC2012_val_00000001.JPEG 65": a file name and an index into `known`, the store's
//   classes); a list of class ids, one a line, for the images in order of file names.
// The kind is told by content. Folders in the images' names do not count. Throws ExitCode::bad_data when
// numbers do not match or a name is missing, ExitCode::usage when val.txt is given and `known` is empty.
void apply_labels(SourceIndex& index, const std::filesystem::path& labels,
                  const std::vector<std::string>& known);

// Turns labels that count in index.classes into labels that count in `classes`. Throws ExitCode::bad_data
// naming the classes that are not among them.
void relabel(SourceIndex& index, const std::vector<std::string>& classes);

}  // namespace convoy
