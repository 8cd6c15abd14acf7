// A list that names images, split into records, and the columns with the images' names and their classes.
// Used by named_labels.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "sources/image_names.hpp"
#include "sources/text_table.hpp"

namespace convoy {

struct NamedTable {
  ListTable table;
  std::size_t names = 0, classes = 0;  // numbers of columns
  // Whether some names have the folders of their images. Then a name with other folders is another image's.
  bool folders_count = false;
};

// Nothing if no line names an image. Throws ExitCode::bad_data if two columns name images equally well.
std::optional<NamedTable> find_named_table(std::string_view text, const ImageNames& images,
                                           const std::filesystem::path& path);

// Usual titles of columns with classes ("label") and with images ("filename"), whatever their case.
bool is_title_of_classes(const std::string& text);
bool is_title_of_images(const std::string& text);

}  // namespace convoy
