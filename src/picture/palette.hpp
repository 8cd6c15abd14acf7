// The colours of pictures with text.
#pragma once

#include "picture/picture.hpp"

namespace convoy {

inline constexpr Colour paper{.red = 255, .green = 255, .blue = 255};
inline constexpr Colour ink{.red = 28, .green = 30, .blue = 34};
inline constexpr Colour faint_ink{.red = 98, .green = 103, .blue = 112};
inline constexpr Colour bar_colour{.red = 37, .green = 99, .blue = 195};
inline constexpr Colour between_tiles{
    .red = 118, .green = 140, .blue = 178};  // no value of a grey map has it
inline constexpr Colour bar_track{.red = 229, .green = 232, .blue = 237};

}  // namespace convoy
