// EXIF's orientation tag, read by libexif: cameras store the image as seen by the sensor and record how to
// rotate it.
#pragma once

#include <cstdint>
#include <span>

namespace convoy {

// Orientation 1…8 of an EXIF block that starts with "Exif", NUL, NUL; 1 (unchanged) if it has none or is
// invalid.
int exif_orientation(std::span<const std::uint8_t> block);

// The same for a block without these six bytes, as in PNG's eXIf chunk.
int exif_orientation_of_tiff(std::span<const std::uint8_t> block);

}  // namespace convoy
