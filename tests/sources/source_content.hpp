// Images whose colour says which one they are, and what a source makes of them: for the tests of all kinds of
// sources.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "data/image_files.hpp"
#include "sources/source.hpp"

namespace convoy::test {

constexpr int image_side = 32;

inline Quadrants picture_of(int red) {
  Quadrants picture;
  for (Rgb& colour : picture.colours) colour = {red, 0, 0};
  return picture;
}

inline std::string png_of(int red) {
  return png_bytes(picture_of(red));
}

// Name → (class id, red of the image): the label that the source gives and a pixel of the bytes that it
// reads.
using Content = std::map<std::string, std::pair<std::string, int>>;

inline Content content_of(const SourceIndex& index) {
  const SourceReader reader(index);
  Content content;
  for (const SourceItem& item : index.items) {
    std::vector<std::uint8_t> square(image_side * image_side * 3);
    reader.read_square(item, image_side, square);
    content[item.name] = {item.label < 0 ? "" : index.classes.at(static_cast<std::size_t>(item.label)),
                          square[0]};
  }
  return content;
}

inline SourceIndex index_of(const std::filesystem::path& path, const std::string& split = "train",
                            const std::vector<std::string>& known = {}) {
  return index_source(path, split, 2, known);
}

// The flaw of the item with this name; "absent" without such an item.
inline std::string flaw_of(const SourceIndex& index, const std::string& name) {
  for (const SourceItem& item : index.items)
    if (item.name == name) return item.flaw;
  return "absent";
}

}  // namespace convoy::test
