// Lists that name each image and its class, in any order: Caffe's val.txt, CSV files, annotations with
// further columns. Used by label_list.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "sources/given_label.hpp"
#include "sources/source.hpp"

namespace convoy {

// The class of each image from the content `text` of the list `path`. The separator and the column of names
// are those by which most lines name an image; the class is in the column after it (before it, if the names
// are in the last column), or in the only one with a title such as "label" or "class". A first line that
// names no image and no class (of `known` or another line) is a header. Nothing if no line names an image.
// Throws ExitCode::bad_data, with lines, for a name without an image, an image without a line, a name that
// could mean two images, two lines for one image unless they are equal, and a line without a class.
std::optional<GivenLabels> labels_by_name(const SourceIndex& index, std::string_view text,
                                          const std::filesystem::path& path,
                                          const std::vector<std::string>& known);

}  // namespace convoy
