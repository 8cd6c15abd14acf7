// EXIF's orientation tag, read by libexif: cameras store the picture as the sensor saw it and say how to turn
// it.
#pragma once

#include <cstdint>
#include <span>

namespace convoy {

// Orientation 1…8 of an EXIF block that begins with "Exif", NUL, NUL; 1 (as it is) when it has none or makes
// no sense.
int exif_orientation(std::span<const std::uint8_t> block);

}  // namespace convoy
