// EXIF's orientation tag, read by libexif: cameras store the image as seen by the sensor and record how to
// rotate it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace convoy {

// Orientation 1…8 of an EXIF block that starts with "Exif", NUL, NUL; 1 (unchanged) if it has none or is
// invalid.
int exif_orientation(std::span<const std::uint8_t> block);

// The same for a block without these six bytes, as in PNG's eXIf chunk.
int exif_orientation_of_tiff(std::span<const std::uint8_t> block);

// The same for the text "Raw profile type exif" of a PNG, in which ImageMagick kept the block before PNG had
// a chunk for it: an empty line, one with a name, one with a length, and hexadecimal digits.
int exif_orientation_of_raw_profile(std::string_view text);

}  // namespace convoy
