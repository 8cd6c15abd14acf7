#include "data/exif_orientation.hpp"

#include <libexif/exif-data.h>

#include <memory>
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

}  // namespace convoy
