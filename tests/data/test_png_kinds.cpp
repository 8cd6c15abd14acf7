// A PNG's stored colours are the picture, whatever else the file says: alpha, transparent colours and gamma
// change nothing, as in the programs with which other networks were trained. Every expected value is what
// PIL's convert("RGB") gives for the same file.

#include <gtest/gtest.h>

#include <span>

#include "data/decode.hpp"
#include "data/image_files.hpp"

namespace convoy::test {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes pixels_of(const PngParts& parts) {
  const std::string file = png_bytes(parts);
  return decode_image(std::as_bytes(std::span(file))).pixels;
}

// Three pixels: opaque, half transparent, invisible.
PngParts three(int colour_type, int depth, Bytes row) {
  PngParts parts;
  parts.width = 3;
  parts.height = 1;
  parts.colour_type = colour_type;
  parts.depth = depth;
  parts.rows = {std::move(row)};
  return parts;
}

constexpr int grey = 0, rgb = 2, palette = 3, grey_alpha = 4, rgba = 6;
const Bytes three_colours{10, 200, 30, 40, 50, 250, 70, 0, 90};
const Bytes three_greys{10, 10, 10, 128, 128, 128, 201, 201, 201};

TEST(PngKinds, AlphaChannelsAreDropped) {
  EXPECT_EQ(pixels_of(three(rgba, 8, {10, 200, 30, 255, 40, 50, 250, 128, 70, 0, 90, 0})), three_colours);
  EXPECT_EQ(pixels_of(three(rgba, 16, {10, 1, 200, 2, 30, 3, 255, 255, 40, 4, 50, 255, 250, 5, 128, 0,  //
                                       70, 6, 0,   7, 90, 8, 0,   0})),
            three_colours);
  EXPECT_EQ(pixels_of(three(grey_alpha, 8, {10, 255, 128, 128, 201, 0})), three_greys);
  EXPECT_EQ(pixels_of(three(grey_alpha, 16, {10, 99, 255, 255, 128, 255, 128, 0, 201, 0, 0, 0})),
            three_greys);
}

TEST(PngKinds, TransparentPaletteEntriesKeepTheirColours) {
  PngParts parts = three(palette, 8, {0, 1, 2});
  parts.palette = {{10, 200, 30}, {40, 50, 250}, {70, 0, 90}};
  parts.palette_alpha = {255, 128, 0};
  EXPECT_EQ(pixels_of(parts), three_colours);
  parts.interlaced = true;
  EXPECT_EQ(pixels_of(parts), three_colours);
  parts.interlaced = false;
  parts.depth = 2;
  parts.rows = {{0b00'01'10'00}};
  EXPECT_EQ(pixels_of(parts), three_colours);
}

TEST(PngKinds, ATransparentColourIsAColour) {
  PngParts parts = three(rgb, 8, {10, 200, 30, 40, 50, 250, 70, 0, 90});
  parts.transparent = Rgb{40, 50, 250};
  EXPECT_EQ(pixels_of(parts), three_colours);
  parts = three(grey, 8, {10, 128, 201});
  parts.transparent = Rgb{128, 0, 0};
  EXPECT_EQ(pixels_of(parts), three_greys);
  parts = three(grey, 16, {10, 0, 128, 7, 201, 255});
  parts.transparent = Rgb{(128 << 8) + 7, 0, 0};
  EXPECT_EQ(pixels_of(parts), three_greys);
  parts = three(grey, 2, {0b00'10'11'00});
  parts.transparent = Rgb{2, 0, 0};
  EXPECT_EQ(pixels_of(parts), (Bytes{0, 0, 0, 170, 170, 170, 255, 255, 255}));
}

TEST(PngKinds, GreyOfFewBitsFillsTheWholeRange) {
  EXPECT_EQ(pixels_of(three(grey, 1, {0b01000000})), (Bytes{0, 0, 0, 255, 255, 255, 0, 0, 0}));
  EXPECT_EQ(pixels_of(three(grey, 2, {0b01'10'11'00})), (Bytes{85, 85, 85, 170, 170, 170, 255, 255, 255}));
  EXPECT_EQ(pixels_of(three(grey, 4, {0x1A, 0xF0})), (Bytes{17, 17, 17, 170, 170, 170, 255, 255, 255}));
}

TEST(PngKinds, SixteenBitsAreCutToTheUpperEight) {
  const Bytes row{0x0A, 0xFF, 0xC8, 0x80, 0x1E, 0, 0x28, 0x7F, 0x32,
                  0xFF, 0xFA, 1,    0x46, 0xFF, 0, 0xFF, 0x5A, 0};
  EXPECT_EQ(pixels_of(three(rgb, 16, row)), three_colours);
  EXPECT_EQ(pixels_of(three(grey, 16, {10, 255, 128, 0, 201, 128})), three_greys);
}

TEST(PngKinds, GammaIsIgnored) {
  PngParts parts = three(rgb, 8, three_colours);
  for (const double gamma : {1.0, 0.45455, 0.25}) {
    parts.gamma = gamma;
    EXPECT_EQ(pixels_of(parts), three_colours) << gamma;
  }
  parts = three(rgba, 16, {10, 1, 200, 2, 30, 3, 255, 255, 40, 4, 50, 255, 250, 5, 128, 0,  //
                           70, 6, 0,   7, 90, 8, 0,   0});
  parts.gamma = 1;
  EXPECT_EQ(pixels_of(parts), three_colours);
}

TEST(PngKinds, ExifOrientationIsRead) {
  PngParts parts = three(rgb, 8, three_colours);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    parts.orientation = orientation;
    for (const bool last : {false, true}) {
      parts.orientation_last = last;
      const std::string file = png_bytes(parts);
      const RgbImage image = decode_image(std::as_bytes(std::span(file)));
      EXPECT_EQ(image.orientation, orientation) << last;
      EXPECT_EQ(image.pixels, three_colours);
    }
  }
  // A value that is not an orientation, and a chunk that is not an EXIF block.
  parts.orientation = 9;
  std::string file = png_bytes(parts);
  EXPECT_EQ(decode_image(std::as_bytes(std::span(file))).orientation, 1);
  parts.orientation = 6;
  file = png_bytes(parts);
  file[file.find("eXIf") + 4] = 'X';
  EXPECT_EQ(decode_image(std::as_bytes(std::span(file))).orientation, 1);
}

TEST(PngKinds, ExifOrientationIsReadFromImageMagicksText) {
  PngParts parts = three(rgb, 8, three_colours);
  const std::string block = "45786966\n00004d4d002A000000080001011200030000000100060000\n00000000\n";
  const auto orientation = [&](const std::string& text) {
    parts.exif_text = text;
    const std::string file = png_bytes(parts);
    return decode_image(std::as_bytes(std::span(file))).orientation;
  };
  EXPECT_EQ(orientation("\nexif\n      32\n" + block), 6);
  for (const std::string text : {"x", "\n", "exif\n", "\nexif\n      32\n", "\nexif\n 32\nno digits: xyz"})
    EXPECT_EQ(orientation(text), 1) << text;
}

// The red pixel at the left of the stored row is at the top of the picture that a viewer shows.
TEST(PngKinds, OrientationTurnsTheSquare) {
  PngParts parts;
  parts.width = parts.height = 2;
  parts.rows = {{255, 0, 0, 0, 255, 0}, {0, 0, 255, 9, 9, 9}};
  parts.orientation = 6;  // the stored top is the right side
  const std::string file = png_bytes(parts);
  Bytes square(2 * 2 * 3);
  decode_square(std::as_bytes(std::span(file)), 2, Fit::cut, square);
  EXPECT_EQ(square, (Bytes{0, 0, 255, 255, 0, 0, 9, 9, 9, 0, 255, 0}));
}

}  // namespace
}  // namespace convoy::test
