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

struct NamedLabels {
  GivenLabels labels;
  std::int64_t repeats = 0;  // lines for an image that already has one with the same class
};

// The class of each image from the content `text` of the list `path`. The separator and the column of names
// are those by which most lines name an image; if two columns name images equally well, a header must tell
// them apart. The class is in the column after the names (before them, if they are in the last column), or in
// the only one with a title such as "label" or "class". A first line that names no image is a header if its
// class is neither one of `known` nor on another line and, without `known`, if one of its fields is a usual
// title. Nothing if no line names an image.
// Throws ExitCode::bad_data, with lines, for a name without an image, an image without a line, a name that
// could mean two images, two lines for one image unless they are equal, and a line without a class.
std::optional<NamedLabels> labels_by_name(const SourceIndex& index, std::string_view text,
                                          const std::filesystem::path& path,
                                          const std::vector<std::string>& known);

}  // namespace convoy
