// PNG through libpng; called only by decode.cpp.
#pragma once

#include <cstddef>
#include <span>

#include "data/decode.hpp"

namespace convoy {

// Like decode_image, for bytes that start as a PNG.
RgbImage decode_png(std::span<const std::byte> bytes);

}  // namespace convoy
