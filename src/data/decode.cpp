#include "data/decode.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <opencv2/core.hpp>
#include <string_view>

#include "base/error.hpp"
#include "data/jpeg_decode.hpp"
#include "data/placement.hpp"
#include "data/png_decode.hpp"
#include "data/resample.hpp"

namespace convoy {

namespace {

bool begins_with(std::span<const std::byte> bytes, std::string_view signature) {
  return bytes.size() >= signature.size() &&
         std::memcmp(bytes.data(), signature.data(), signature.size()) == 0;
}

// The apparent type of a file that is neither JPEG nor PNG, for the message.
std::string_view other_kind(std::span<const std::byte> bytes) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kinds{
      {{"GIF8", "a GIF"},
       {"BM", "a BMP"},
       {"RIFF", "a WebP or RIFF file"},
       {"II*", "a TIFF"},
       {"MM", "a TIFF"},
       {"<!", "an HTML page"},
       {"<h", "an HTML page"},
       {"version https", "a Git LFS pointer"}}};
  for (const auto& [signature, name] : kinds)
    if (begins_with(bytes, signature)) return name;
  return bytes.empty() ? "empty" : "of an unknown type";
}

// EXIF's eight orientations (TIFF 6.0, tag 274) as transpose and flips of an image.
void turn(cv::Mat& image, int orientation) {
  if (orientation >= 5) {
    cv::Mat transposed;
    cv::transpose(image, transposed);
    image = transposed;
  }
  constexpr int no_flip = -2;
  // cv::flip's codes: 1 left-right, 0 top-bottom, -1 both.
  constexpr std::array<int, 9> flips{no_flip, no_flip, 1, -1, 0, no_flip, 1, -1, 0};
  const int code = flips[static_cast<std::size_t>(orientation)];
  if (code == no_flip) return;
  cv::Mat flipped;
  cv::flip(image, flipped, code);
  image = flipped;
}

// Resizes `part` of the image, in pixels of its file, to the size of `target`.
void resize(const RgbImage& image, const Box& part, cv::Mat target) {
  const double scale = 1.0 / image.reduction;
  resample({image.pixels, image.columns(), image.rows()},
           {part.left * scale, part.top * scale, part.right * scale, part.bottom * scale}, target.cols,
           target.rows, target.data, target.step[0]);
}

}  // namespace

RgbImage decode_image(std::span<const std::byte> bytes, int side, Fit fit) {
  if (begins_with(bytes, "\xFF\xD8\xFF")) return decode_jpeg(bytes, side, fit);
  if (begins_with(bytes, "\x89PNG\r\n\x1A\n")) return decode_png(bytes);
  fail(ExitCode::bad_data, "neither JPEG nor PNG: the file is {}", other_kind(bytes));
}

void make_square(const RgbImage& image, int side, Fit fit, std::span<std::uint8_t> square) {
  ensure(square.size() == std::size_t(side) * side * 3, "the square has side x side x 3 values");
  const auto [source, target] = place(image.width, image.height, image.orientation, fit, side);
  cv::Mat result(side, side, CV_8UC3);
  if (fit == Fit::pad) result.setTo(cv::Scalar(border_colour[0], border_colour[1], border_colour[2]));
  resize(image, source, result(cv::Rect(target.left, target.top, target.width(), target.height())));
  turn(result, image.orientation);
  std::memcpy(square.data(), result.data, square.size());
}

Picture decode_upright(std::span<const std::byte> bytes, int side) {
  const RgbImage image = decode_image(bytes, side, Fit::pad);
  const int longer = std::max(image.width, image.height);
  const auto [source, target] =
      place(image.width, image.height, image.orientation, Fit::pad, std::min(side, longer));
  cv::Mat result(target.height(), target.width(), CV_8UC3);
  resize(image, source, result);
  turn(result, image.orientation);
  Picture picture(result.cols, result.rows);
  std::memcpy(picture.pixels.data(), result.data, picture.pixels.size());
  return picture;
}

void decode_square(std::span<const std::byte> bytes, int side, Fit fit, std::span<std::uint8_t> square) {
  make_square(decode_image(bytes, side, fit), side, fit, square);
}

}  // namespace convoy
