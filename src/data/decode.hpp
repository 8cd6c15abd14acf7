// From the bytes of an image file to RGB pixels, and from those to the square that a store holds. Used by
// pack for every image and by predict for the images it is given. The type of a file is detected from its
// content, never by its name. All functions are safe to call from many threads.
//
// JPEG: grey, RGB, YCbCr, CMYK and YCCK (Adobe's inverted values too) become RGB; a file whose pixels are not
// all there (cut short, broken codes) is refused. PNG: 16 bits, palette, grey and interlaced become 8-bit
// RGB, transparent pixels are composited on white. EXIF orientation is applied. Anything else is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace convoy {

// Images with more pixels than this are refused before memory is taken for them.
inline constexpr std::int64_t kMostPixels = 100'000'000;

struct RgbImage {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;  // height × width × 3, rows top to bottom
  int orientation = 1;               // EXIF's 1…8, not yet applied to `pixels`; 1: as it is
};

// Decodes a JPEG or PNG. `least_side` > 0 allows a JPEG to be reduced while it is decoded (by 2, 4 or 8) as
// long as its shorter side stays at least that long. Throws ExitCode::bad_data with the reason alone (the
// caller knows the file's name).
RgbImage decode_image(std::span<const std::byte> bytes, int least_side = 0);

// The centre square of the image, resized to side × side (by area when it shrinks, so that it is antialiased;
// bilinearly when it grows; untouched when the size is right) and turned as its orientation says. `square`
// holds side × side × 3 values. It is what "shorter side to `side`, centre crop" gives, without resizing what
// is cut off.
void make_square(const RgbImage& image, int side, std::span<std::uint8_t> square);

// Both in one: what pack stores of an image file.
void decode_square(std::span<const std::byte> bytes, int side, std::span<std::uint8_t> square);

// From here on each image is resized by the thread that asks for it alone: OpenCV's own threads stay out of
// the way of a program that works on many images at a time. For the whole process.
void resize_on_calling_thread();

}  // namespace convoy
