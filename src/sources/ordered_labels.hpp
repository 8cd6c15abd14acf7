// Lists with one class per line and no names: the lines are the images in order of their file names. Used by
// label_list.
#pragma once

#include <filesystem>

#include "sources/given_label.hpp"
#include "sources/source.hpp"

namespace convoy {

// `lines` for the items of the source in order of their file names, without folders. Throws
// ExitCode::bad_data if their numbers differ.
GivenLabels labels_in_file_name_order(const SourceIndex& index, const GivenLabels& lines,
                                      const std::filesystem::path& path);

// Throws ExitCode::bad_data if the order of the images is open to doubt, so that `labels` might be meant
// for other images: if sorting whole paths, or counting numbers in names by their value, gives other classes.
// Whole paths do not count if the folders are classes that `labels` contain.
void refuse_doubtful_order(const SourceIndex& index, const GivenLabels& labels,
                           const std::filesystem::path& path);

}  // namespace convoy
