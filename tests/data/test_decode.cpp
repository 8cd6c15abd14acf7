// Every kind of image file that real collections hold becomes the same square of RGB, or is refused with its
// reason.

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <span>

#include "data/decode.hpp"
#include "data/image_files.hpp"
#include "support/expect_error.hpp"

namespace convoy::test {
namespace {

constexpr int image_side = 32;
// Quality 95 and the rounding of colour conversions: a few levels away from edges between colours.
constexpr int jpeg_tolerance = 6;

std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::vector<std::uint8_t> square_of(const std::string& file, int side = image_side) {
  std::vector<std::uint8_t> square(static_cast<std::size_t>(side) * side * 3);
  decode_square(as_bytes(file), side, Fit::cut, square);
  return square;
}

// The colours in the middle of each quadrant, in reading order.
void expect_quadrants(const std::vector<std::uint8_t>& square, int side, const std::vector<Rgb>& colours,
                      int tolerance) {
  for (int quadrant = 0; quadrant < 4; ++quadrant) {
    const int x = side / 4 + (quadrant % 2) * side / 2, y = side / 4 + (quadrant / 2) * side / 2;
    const std::uint8_t* pixel = square.data() + (y * side + x) * 3;
    const Rgb& expected = colours[static_cast<std::size_t>(quadrant)];
    EXPECT_NEAR(pixel[0], expected.r, tolerance) << "red of quadrant " << quadrant;
    EXPECT_NEAR(pixel[1], expected.g, tolerance) << "green of quadrant " << quadrant;
    EXPECT_NEAR(pixel[2], expected.b, tolerance) << "blue of quadrant " << quadrant;
  }
}

std::vector<Rgb> colours_of(const Quadrants& picture) {
  return {picture.colours, picture.colours + 4};
}

std::vector<Rgb> greys_of(const Quadrants& picture) {
  std::vector<Rgb> greys;
  for (const Rgb& colour : picture.colours) greys.push_back({colour.r, colour.r, colour.r});
  return greys;
}

// The CRC-32 of a PNG's chunk.
std::uint32_t png_sum(std::string_view bytes) {
  std::uint32_t sum = 0xFFFFFFFF;
  for (const char byte : bytes) {
    sum ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ (sum & 1 ? 0xEDB88320 : 0);
  }
  return ~sum;
}

TEST(Decode, ColourSpacesOfJpegBecomeRgb) {
  const Quadrants picture;
  for (const JpegKind kind :
       {JpegKind::rgb, JpegKind::progressive, JpegKind::cmyk_adobe, JpegKind::cmyk_plain,
        JpegKind::cmyk_progressive, JpegKind::ycck, JpegKind::icc_profile}) {
    SCOPED_TRACE(static_cast<int>(kind));
    expect_quadrants(square_of(jpeg_bytes(picture, kind)), image_side, colours_of(picture), jpeg_tolerance);
  }
  expect_quadrants(square_of(jpeg_bytes(picture, JpegKind::grey)), image_side, greys_of(picture),
                   jpeg_tolerance);
}

TEST(Decode, KindsOfPngBecomeRgbExactly) {
  const Quadrants picture;
  for (const PngKind kind : {PngKind::rgb8, PngKind::rgb16, PngKind::palette, PngKind::interlaced}) {
    SCOPED_TRACE(static_cast<int>(kind));
    const auto square = square_of(png_bytes(picture, kind));
    for (int y = 0; y < image_side; ++y) {
      for (int x = 0; x < image_side; ++x) {
        const Rgb expected = picture.at(x, y);
        const std::uint8_t* pixel = square.data() + (y * image_side + x) * 3;
        ASSERT_EQ(std::vector<int>(pixel, pixel + 3), (std::vector<int>{expected.r, expected.g, expected.b}));
      }
    }
  }
  expect_quadrants(square_of(png_bytes(picture, PngKind::grey8)), image_side, greys_of(picture), 0);
}

TEST(Decode, ExifOrientationIsApplied) {
  const Quadrants picture;
  const auto c = colours_of(picture);
  // What a viewer shows for the stored quadrants 0 1 / 2 3, by EXIF's definition (row 0, column 0 of the
  // stored image shown at: 2 top right, 3 bottom right, 4 bottom left, 5 left top, 6 right top, 7 right
  // bottom, 8 left bottom).
  const std::vector<std::vector<int>> shown{{0, 1, 2, 3}, {1, 0, 3, 2}, {3, 2, 1, 0}, {2, 3, 0, 1},
                                            {0, 2, 1, 3}, {2, 0, 3, 1}, {3, 1, 2, 0}, {1, 3, 0, 2}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    SCOPED_TRACE(orientation);
    std::vector<Rgb> expected;
    for (const int quadrant : shown[static_cast<std::size_t>(orientation - 1)])
      expected.push_back(c[static_cast<std::size_t>(quadrant)]);
    expect_quadrants(square_of(jpeg_bytes(picture, JpegKind::rgb, orientation)), image_side, expected,
                     jpeg_tolerance);
  }
}

TEST(Decode, CentreSquareOfWideAndTallImages) {
  Quadrants wide;
  wide.width = 96;
  expect_quadrants(square_of(png_bytes(wide)), image_side, colours_of(wide), 0);
  Quadrants tall;
  tall.height = 200;
  expect_quadrants(square_of(png_bytes(tall)), image_side, colours_of(tall), 0);
}

TEST(Decode, TinyAndHugeImagesAreResized) {
  for (const int size : {2, 7, 31, 33, 64, 500, 1100}) {
    SCOPED_TRACE(size);
    Quadrants picture;
    picture.width = picture.height = size;
    expect_quadrants(square_of(png_bytes(picture)), image_side, colours_of(picture),
                     size < 4   ? 60
                     : size < 8 ? 20
                                : 1);
    if (size >= 16)
      expect_quadrants(square_of(jpeg_bytes(picture)), image_side, colours_of(picture), jpeg_tolerance);
  }
}

// Twice as wide as high, as it is shown: the sides follow the orientation, and the quadrants are those of the
// square.
TEST(Decode, WholeImagesAreUprightAndAtMostAsLargeAsAsked) {
  Quadrants quadrants;
  quadrants.width = 64;
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const std::string file = jpeg_bytes(quadrants, JpegKind::rgb, orientation);
    const std::vector<std::uint8_t> warped = [&] {
      std::vector<std::uint8_t> square(std::size_t{image_side} * image_side * 3);
      decode_square(as_bytes(file), image_side, Fit::warp, square);
      return square;
    }();
    for (const int side : {200, 64, 40}) {
      SCOPED_TRACE(std::to_string(orientation) + " " + std::to_string(side));
      const convoy::Picture whole = decode_upright(as_bytes(file), side);
      const int longer = std::min(side, 64);
      EXPECT_EQ(whole.width, orientation >= 5 ? longer / 2 : longer);
      EXPECT_EQ(whole.height, orientation >= 5 ? longer : longer / 2);
      for (int quadrant = 0; quadrant < 4; ++quadrant) {
        const int right = quadrant % 2, below = quadrant / 2;
        const std::uint8_t* found =
            whole.at(whole.width / 4 + right * whole.width / 2, whole.height / 4 + below * whole.height / 2);
        const std::uint8_t* expected = warped.data() + ((8 + below * 16) * image_side + 8 + right * 16) * 3;
        for (int colour = 0; colour < 3; ++colour)
          EXPECT_NEAR(found[colour], expected[colour], jpeg_tolerance);
      }
    }
  }
}

// An image of single-pixel stripes must become its mean, not a pattern of picked pixels.
TEST(Decode, ShrinkingIsAntialiased) {
  Quadrants dark;
  dark.width = dark.height = 256;
  RgbImage stripes{256, 256, std::vector<std::uint8_t>(256 * 256 * 3)};
  for (std::size_t i = 0; i < stripes.pixels.size(); ++i) stripes.pixels[i] = (i / 3) % 2 == 0 ? 0 : 200;
  std::vector<std::uint8_t> square(image_side * image_side * 3);
  make_square(stripes, image_side, Fit::cut, square);
  for (const std::uint8_t value : square) ASSERT_EQ(value, 100);
}

TEST(Decode, TruncatedFilesAreRefused) {
  Quadrants picture;
  picture.width = picture.height = 100;
  for (const JpegKind kind : {JpegKind::rgb, JpegKind::progressive}) {
    const std::string whole = jpeg_bytes(picture, kind);
    for (const double part : {0.02, 0.5, 0.9, 0.98}) {
      SCOPED_TRACE(part);
      const auto size = static_cast<std::size_t>(part * static_cast<double>(whole.size()));
      expect_error(ExitCode::bad_data, {"JPEG"}, [&] { square_of(whole.substr(0, size)); });
    }
  }
  const std::string png = png_bytes(picture);
  for (const std::size_t cut : {20UL, png.size() / 2, png.size() - 20})
    expect_error(ExitCode::bad_data, {"PNG"}, [&] { square_of(png.substr(0, cut)); });
}

TEST(Decode, DamagedCodesAreRefused) {
  Quadrants picture;
  picture.width = picture.height = 200;
  std::string file = jpeg_bytes(picture);
  // A marker in the middle of the entropy-coded data ends it early.
  file[file.size() / 2] = '\xFF';
  file[file.size() / 2 + 1] = '\xD9';
  expect_error(ExitCode::bad_data, {"damaged JPEG"}, [&] { square_of(file); });
  std::string png = png_bytes(picture);
  png[png.size() / 2] = static_cast<char>(png[png.size() / 2] ^ 0x40);
  expect_error(ExitCode::bad_data, {"PNG"}, [&] { square_of(png); });
}

TEST(Decode, StrayBytesBehindTheImageAreHarmless) {
  const Quadrants picture;
  expect_quadrants(square_of(jpeg_bytes(picture) + std::string(500, 'x')), image_side, colours_of(picture),
                   jpeg_tolerance);
}

TEST(Decode, OtherKindsAreRefusedByName) {
  expect_error(ExitCode::bad_data, {"GIF"}, [] { square_of("GIF89a..........."); });
  expect_error(ExitCode::bad_data, {"BMP"}, [] { square_of("BM......"); });
  expect_error(ExitCode::bad_data, {"empty"}, [] { square_of(""); });
  expect_error(ExitCode::bad_data, {"HTML"}, [] { square_of("<!DOCTYPE html><html></html>"); });
  expect_error(ExitCode::bad_data, {"of an unknown type"}, [] { square_of("hello"); });
}

// A PNG header that claims 60000 × 60000 pixels must not take 10 GB of memory.
TEST(Decode, GiganticSizesAreRefusedBeforeMemoryIsTaken) {
  std::string jpeg = jpeg_bytes(Quadrants{});
  const auto frame = jpeg.find("\xFF\xC0");
  ASSERT_NE(frame, std::string::npos);
  for (const std::size_t place : {5U, 7U}) {
    jpeg[frame + place] = '\xEA';
    jpeg[frame + place + 1] = '\x60';
  }
  expect_error(ExitCode::bad_data, {"60000 x 60000", "million"}, [&] { square_of(jpeg); });
}

// A few hundred bytes cannot be an image of 64 million pixels, for which 192 MB would be taken.
TEST(Decode, SizesThatTheBytesCannotHoldAreRefused) {
  constexpr std::string_view side("\x1F\x40", 2);  // 8000
  std::string jpeg = jpeg_bytes(Quadrants{});
  const auto frame = jpeg.find("\xFF\xC0");
  ASSERT_NE(frame, std::string::npos);
  jpeg.replace(frame + 5, 2, side).replace(frame + 7, 2, side);
  expect_error(ExitCode::bad_data, {"8000 x 8000", "more than its", "bytes can hold"},
               [&] { square_of(jpeg); });

  std::string png = png_bytes(Quadrants{});
  const std::string wide = std::string(2, '\0') + std::string(side);
  png.replace(16, 4, wide).replace(20, 4, wide);
  const std::uint32_t sum = png_sum(png.substr(12, 17));
  for (int i = 0; i < 4; ++i) png[29 + i] = static_cast<char>(sum >> (24 - 8 * i) & 255);
  expect_error(ExitCode::bad_data, {"192000000 bytes", "compressed bytes can hold"}, [&] { square_of(png); });

  // A large image of a single colour is about as small as one can be.
  Quadrants plain;
  plain.width = plain.height = 3000;
  for (Rgb& colour : plain.colours) colour = {255, 255, 255};
  for (const std::string& bytes :
       {jpeg_bytes(plain), jpeg_bytes(plain, JpegKind::progressive), png_bytes(plain)})
    EXPECT_EQ(square_of(bytes)[0], 255);
}

// Whatever a file's bytes are, it is decoded or refused as bad data; nothing else may come out.
TEST(Decode, RandomDamageIsSurvived) {
  std::mt19937 generator(1);
  Quadrants picture;
  picture.width = 60;
  int refused = 0;
  for (const std::string& whole :
       {jpeg_bytes(picture, JpegKind::rgb, 6), jpeg_bytes(picture, JpegKind::ycck),
        jpeg_bytes(picture, JpegKind::progressive), png_bytes(picture, PngKind::palette),
        png_bytes(picture, PngKind::interlaced)}) {
    for (int attempt = 0; attempt < 300; ++attempt) {
      std::string file = whole;
      for (int hits = 0; hits < 3; ++hits) file[generator() % file.size()] = static_cast<char>(generator());
      try {
        square_of(file);
      } catch (const Error& error) {
        ASSERT_EQ(static_cast<int>(error.category()), static_cast<int>(ExitCode::bad_data)) << error.what();
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace convoy::test
