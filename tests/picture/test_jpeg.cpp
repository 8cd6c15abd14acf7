// Thumbnails of photographs as JPEG.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/error.hpp"
#include "data/decode.hpp"
#include "picture/jpeg.hpp"

namespace convoy::test {
namespace {

TEST(Jpeg, ADecoderGetsThePictureBack) {
  Picture picture(48, 48);
  for (int y = 0; y < 48; ++y)
    for (int x = 0; x < 48; ++x) {
      picture.at(x, y)[0] = static_cast<std::uint8_t>(4 * x);
      picture.at(x, y)[1] = static_cast<std::uint8_t>(4 * y);
      picture.at(x, y)[2] = 128;
    }
  const std::string bytes = jpeg_bytes(picture, 90);
  EXPECT_LT(bytes.size(), picture.pixels.size() / 4);
  std::vector<std::uint8_t> decoded(picture.pixels.size());
  decode_square(std::as_bytes(std::span(bytes)), 48, Fit::cut, decoded);
  double sum = 0;
  for (std::size_t i = 0; i < decoded.size(); ++i) sum += std::abs(decoded[i] - picture.pixels[i]);
  // A smooth picture at quality 90: quantisation moves a byte by about 1; swapped channels by 60.
  EXPECT_LT(sum / static_cast<double>(decoded.size()), 3);
}

TEST(Jpeg, AnEmptyPictureIsABug) {
  EXPECT_THROW(jpeg_bytes(Picture(), 80), Error);
}

}  // namespace
}  // namespace convoy::test
