// JPEG through libjpeg(-turbo); called by decode.cpp alone.
#pragma once

#include <cstddef>
#include <span>

#include "data/decode.hpp"

namespace convoy {

// As decode_image, for bytes that begin as a JPEG.
RgbImage decode_jpeg(std::span<const std::byte> bytes, int least_side);

}  // namespace convoy
