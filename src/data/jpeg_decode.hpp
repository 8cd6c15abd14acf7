// JPEG through libjpeg(-turbo); called only by decode.cpp.
#pragma once

#include <cstddef>
#include <span>

#include "data/decode.hpp"

namespace convoy {

// Like decode_image, for bytes that start as a JPEG.
RgbImage decode_jpeg(std::span<const std::byte> bytes, int side, Fit fit);

}  // namespace convoy
