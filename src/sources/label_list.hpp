// --labels of pack: the classes of images that are not in class folders. Used by pack on rank 0.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sources/source.hpp"

namespace convoy {

// Sets the items' labels and index.classes from `path`, whose kind is detected from its content:
//   the ILSVRC2012 development kit (its ground truth, in order of file names);
//   a list that names images and their classes in any order, see named_labels.hpp;
//   class ids only, one per line, for the images in order of file names.
// A class is an id or a number: the index into `known`, the store's classes. If `known` is empty, classes are
// ids and index.classes becomes those that occur, in the order of class_order.hpp; the kit gives all of its
// own. Throws ExitCode::bad_data, with line and image, if list and images do not match, for a class that is
// not in `known`, for numbers that are also ids of other classes, for lines that are probably not classes,
// and if an image is in the folder of another class; ExitCode::usage for numbers without `known` and for a
// file that is not a list. Adds warnings to `index` about lines that repeat others and about folders that
// differ from the classes.
void apply_labels(SourceIndex& index, const std::filesystem::path& path,
                  const std::vector<std::string>& known);

}  // namespace convoy
