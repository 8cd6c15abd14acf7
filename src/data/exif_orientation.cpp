#include "data/exif_orientation.hpp"

#include <libexif/exif-data.h>

#include <cctype>
#include <memory>
#include <string>
#include <vector>

namespace convoy {

int exif_orientation(std::span<const std::uint8_t> block) {
  const std::unique_ptr<ExifData, void (*)(ExifData*)> data(
      exif_data_new_from_data(block.data(), static_cast<unsigned>(block.size())), exif_data_unref);
  if (!data) return 1;
  const ExifEntry* entry = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
  if (entry == nullptr || entry->format != EXIF_FORMAT_SHORT || entry->size < 2) return 1;
  const int orientation = exif_get_short(entry->data, exif_data_get_byte_order(data.get()));
  return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

int exif_orientation_of_tiff(std::span<const std::uint8_t> block) {
  std::vector<std::uint8_t> marked{'E', 'x', 'i', 'f', 0, 0};
  marked.insert(marked.end(), block.begin(), block.end());
  return exif_orientation(marked);
}

int exif_orientation_of_raw_profile(std::string_view text) {
  constexpr int lines_before_digits = 3;  // the first is empty
  for (int line = 0; line < lines_before_digits; ++line) {
    const std::size_t end = text.find('\n');
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
  }
  std::vector<std::uint8_t> block;
  std::string digits;
  for (const char character : text) {
    if (std::isxdigit(static_cast<unsigned char>(character)) == 0) continue;
    digits += character;
    if (digits.size() < 2) continue;
    block.push_back(static_cast<std::uint8_t>(std::stoi(digits, nullptr, 16)));
    digits.clear();
  }
  return exif_orientation(block);
}

}  // namespace convoy
