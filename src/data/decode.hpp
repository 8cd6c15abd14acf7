// Converts the bytes of an image file to RGB pixels, and those to the square that a store contains. Used by
// pack for every image and by predict for its images. The type of a file is detected from its content, never
// from its name. All functions are thread-safe.
//
// JPEG: grey, RGB, YCbCr, CMYK and YCCK (including Adobe's inverted values) are converted to RGB; a file with
// incomplete pixels (truncated, broken codes) is rejected. PNG: 16 bits, palette, grey and interlaced are
// converted to 8-bit RGB, transparent pixels are composited on white. EXIF orientation is applied. Everything
// else is rejected.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace convoy {

// Images with more pixels than this are rejected before memory is allocated for them.
inline constexpr std::int64_t most_pixels = 100'000'000;

struct RgbImage {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;  // height × width × 3, rows top to bottom
  int orientation = 1;               // EXIF's 1…8, not yet applied to `pixels`; 1: unchanged
};

// Decodes a JPEG or PNG. `least_side` > 0 allows a JPEG to be reduced during decoding (by 2, 4 or 8) as long
// as its shorter side remains at least that long. Throws ExitCode::bad_data with only the reason (the caller
// adds the file's name).
RgbImage decode_image(std::span<const std::byte> bytes, int least_side = 0);

// The centre square of the image, resized to side × side (by area when it shrinks, so that it is antialiased;
// bilinearly when it grows; unchanged if the size is right) and rotated according to its orientation.
// `square` has side × side × 3 values. The result equals "shorter side to `side`, centre crop", without
// resizing the cropped parts.
void make_square(const RgbImage& image, int side, std::span<std::uint8_t> square);

// Both steps: the result is stored by pack for an image file.
void decode_square(std::span<const std::byte> bytes, int side, std::span<std::uint8_t> square);

// Makes every later resize run only on the calling thread: OpenCV's own threads would slow down a program
// that processes many images at a time. Applies to the whole process.
void resize_on_calling_thread();

}  // namespace convoy
