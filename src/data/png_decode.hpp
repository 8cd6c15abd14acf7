// PNG through libpng's simplified interface; called by decode.cpp alone.
#pragma once

#include <cstddef>
#include <span>

#include "data/decode.hpp"

namespace convoy {

// As decode_image, for bytes that begin as a PNG.
RgbImage decode_png(std::span<const std::byte> bytes);

}  // namespace convoy
