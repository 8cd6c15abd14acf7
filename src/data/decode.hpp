// Converts the bytes of an image file to RGB pixels, and those to the square that a store contains. Used by
// pack for every image, by predict and visualize for theirs. The type of a file is detected from its content,
// never from its name. All functions are thread-safe.
//
// The values are those that PIL's convert("RGB") and OpenCV give (of 16-bit grey, OpenCV's: PIL clips it).
// JPEG: grey, RGB, YCbCr, CMYK and YCCK are converted to RGB; four-component files are taken as inverted (0
// is full ink), with and without Adobe's marker, as every common program writes and reads them. A file with
// incomplete pixels (truncated, broken codes) is rejected. PNG: palette, grey, 1 to 16 bits and interlaced
// become 8-bit RGB (16 bits by their upper byte); alpha channels, transparent colours and gamma are ignored:
// the stored colours count. ICC profiles are ignored. EXIF's orientation is applied for both. Everything else
// is rejected.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "data/fit.hpp"
#include "picture/picture.hpp"

namespace convoy {

// Images with more pixels than this are rejected before memory is allocated for them.
inline constexpr std::int64_t most_pixels = 100'000'000;

struct RgbImage {
  int width = 0, height = 0;         // of the file
  std::vector<std::uint8_t> pixels;  // rows() × columns() × 3, rows top to bottom
  int orientation = 1;               // EXIF's 1…8, not yet applied to `pixels`; 1: unchanged
  // Of a JPEG: each pixel stands for reduction × reduction pixels of the file, of which the last column and
  // row may contain fewer.
  int reduction = 1;

  int columns() const { return (width + reduction - 1) / reduction; }
  int rows() const { return (height + reduction - 1) / reduction; }
};

// Decodes a JPEG or PNG. `side` > 0 allows a JPEG to be reduced during decoding (by 2, 4 or 8) as far as a
// square of that side, fitted by `fit`, does not suffer. Throws ExitCode::bad_data with only the reason (the
// caller adds the file's name).
RgbImage decode_image(std::span<const std::byte> bytes, int side = 0, Fit fit = Fit::cut);

// The image fitted into side × side pixels as `fit` says, rotated according to its orientation (the result is
// that of rotating first). An axis that shrinks is averaged by area, so that it is antialiased; one that
// grows is interpolated linearly. `square` has side × side × 3 values. The result of Fit::cut equals "shorter
// side to `side`, centre crop", without resizing the cropped parts.
void make_square(const RgbImage& image, int side, Fit fit, std::span<std::uint8_t> square);

// A whole image as people look at it: rotated according to its orientation and, if its longer side is longer
// than `side`, shrunk to it. Throws as decode_image.
Picture decode_upright(std::span<const std::byte> bytes, int side);

// decode_image and make_square: the result is stored by pack for an image file.
void decode_square(std::span<const std::byte> bytes, int side, Fit fit, std::span<std::uint8_t> square);

}  // namespace convoy
