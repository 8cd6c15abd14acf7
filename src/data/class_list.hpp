// The classes of a store, their order and their words, and the class of an image that is not in a class
// folder. Used by pack on rank 0. The split that is packed first fixes a store's classes.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/source.hpp"
#include "data/store.hpp"

namespace convoy {

// --class-list: one id per line, in label order; blank lines are ignored. Throws ExitCode::bad_data for an id
// that occurs twice or a file without ids.
std::vector<std::string> read_class_list(const std::filesystem::path& path);

// --class-names: "n01440764 tench, Tinca tinca" per line (id, blank, words), or the ILSVRC2012 development
// kit. Returns words by id.
std::map<std::string, std::string> read_class_names(const std::filesystem::path& path);

// Ids with their words; a class without words is named by its id. Throws ExitCode::usage if `names` is not
// empty but contains none of the ids.
std::vector<ClassEntry> name_classes(const std::vector<std::string>& ids,
                                     const std::map<std::string, std::string>& names);

// --labels, for a source whose images are not in class folders: sets the items' labels and index.classes from
//   the ILSVRC2012 development kit (its ground truth, in order of file names);
//   Caffe's val.txt ("ILSVRC2012_val_00000001.JPEG 65": a file name and an index into `known`, the store's
//   classes); a list of class ids, one per line, for the images in order of file names.
// The kind is detected from the content. Folders in the images' names are ignored. Throws ExitCode::bad_data
// if numbers do not match or a name is missing, ExitCode::usage if val.txt is given and `known` is empty.
void apply_labels(SourceIndex& index, const std::filesystem::path& labels,
                  const std::vector<std::string>& known);

// Converts labels that refer to index.classes to labels that refer to `classes`. Throws ExitCode::bad_data
// with the classes that are not among them.
void relabel(SourceIndex& index, const std::vector<std::string>& classes);

}  // namespace convoy
