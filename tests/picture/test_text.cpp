#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.hpp"
#include "picture/text.hpp"
#include "picture/utf8.hpp"
#include "support/expect_error.hpp"

namespace convoy {
namespace {

constexpr Colour white{.red = 255, .green = 255, .blue = 255};

Picture drawn(const Font& font, std::string_view text, Colour colour = {}) {
  Picture picture(font.width(text) + 8, font.line_height() + 8, white);
  font.draw(picture, 4, 4, text, colour);
  return picture;
}

int changed_pixels(const Picture& picture) {
  int count = 0;
  for (std::size_t i = 0; i < picture.pixels.size(); i += 3)
    count += picture.pixels[i] != 255 || picture.pixels[i + 1] != 255 || picture.pixels[i + 2] != 255;
  return count;
}

TEST(Utf8, CharactersAndWhatIsNone) {
  const auto codes = [](std::string_view text) {
    std::u32string result;
    for (const Character& character : characters_of(text)) result += character.code;
    return result;
  };
  EXPECT_EQ(codes("aé…𝄞"), U"aé…𝄞");
  EXPECT_EQ(codes(""), U"");
  EXPECT_EQ(codes("a\xFFz"), U"a\xFFFDz");
  EXPECT_EQ(codes("\xE2\x80"), U"\xFFFD\xFFFD");                      // cut off
  EXPECT_EQ(codes("\xC0\xAF"), U"\xFFFD\xFFFD");                      // overlong '/'
  EXPECT_EQ(codes("\xED\xA0\x80"), U"\xFFFD\xFFFD\xFFFD");            // a surrogate
  EXPECT_EQ(codes("\xF4\x90\x80\x80"), U"\xFFFD\xFFFD\xFFFD\xFFFD");  // beyond U+10FFFF
  EXPECT_EQ(characters_of("é…x")[2].begin, 5U);
}

TEST(Font, WidthGrowsWithTheTextAndTheSize) {
  const Font small(12), large(24);
  EXPECT_EQ(small.width(""), 0);
  std::string text;
  int before = 0;
  for (int i = 0; i < 20; ++i) {
    text += "a";
    EXPECT_GT(small.width(text), before);
    before = small.width(text);
  }
  EXPECT_GT(large.width(text), small.width(text));
  EXPECT_GT(large.line_height(), small.line_height());
  EXPECT_GE(small.line_height(), 12);
  EXPECT_LT(small.width("iiii"), small.width("WWWW"));
}

TEST(Font, DrawsInItsLineAndWithItsColour) {
  const Font font(16);
  const Picture picture = drawn(font, "Ågjp|", {.red = 200, .green = 0, .blue = 0});
  EXPECT_GT(changed_pixels(picture), 60);
  bool has_full = false, has_partial = false;
  for (int y = 0; y < picture.height; ++y) {
    for (int x = 0; x < picture.width; ++x) {
      const std::uint8_t* pixel = picture.at(x, y);
      EXPECT_GE(pixel[0], 200);
      EXPECT_EQ(pixel[1], pixel[2]);
      has_full |= pixel[1] == 0;
      has_partial |= pixel[1] > 0 && pixel[1] < 255;
      const bool in_line = y >= 4 && y < 4 + font.line_height();
      if (!in_line) {
        EXPECT_EQ(pixel[1], 255) << x << " " << y;
      }
    }
  }
  EXPECT_TRUE(has_full);
  EXPECT_TRUE(has_partial) << "edges are antialiased";
}

TEST(Font, TextIsCutOffAtTheBordersOfThePicture) {
  const Font font(20);
  const std::string text = "border";
  Picture whole(100, 40, white);
  font.draw(whole, 10, 8, text, {});
  for (const auto& [left, top] : {std::pair{0, 0}, {30, 15}, {60, 0}}) {
    Picture window(25, 20, white);
    font.draw(window, 10 - left, 8 - top, text, {});
    for (int y = 0; y < window.height; ++y) {
      for (int x = 0; x < window.width; ++x) ASSERT_EQ(window.at(x, y)[0], whole.at(left + x, top + y)[0]);
    }
  }
  Picture outside(10, 10, white);
  for (const auto& [x, y] : {std::pair{-500, 0}, {500, 0}, {0, -500}, {0, 500}})
    font.draw(outside, x, y, text, {});
  EXPECT_EQ(changed_pixels(outside), 0);
}

TEST(Font, LongTextsAreCutWithAnEllipsis) {
  const Font font(14);
  const std::string name =
      "great white shark, white shark, man-eater, man-eating shark, Carcharodon carcharias";
  EXPECT_EQ(font.cut(name, font.width(name)), name);
  for (const int width : {60, 120, 300}) {
    const std::string cut = font.cut(name, width);
    EXPECT_LE(font.width(cut), width);
    EXPECT_GE(font.width(cut), width - 25) << cut;
    ASSERT_TRUE(cut.ends_with("…")) << cut;
    EXPECT_TRUE(name.starts_with(cut.substr(0, cut.size() - 3)));
  }
  EXPECT_EQ(font.cut("great white", font.width("great…") + 2), "great…") << "no blank before the ellipsis";
  EXPECT_EQ(font.cut("ééééééé", font.width("ééé…")), "ééé…") << "whole characters";
  EXPECT_EQ(font.cut("abc", 2), "");
}

TEST(Font, AnyBytesCanBeDrawn) {
  const Font font(14);
  EXPECT_GT(changed_pixels(drawn(font, "犬")), 0) << "a box for what the font lacks";
  EXPECT_GT(changed_pixels(drawn(font, "\xFF\xC3")), 0);
  EXPECT_EQ(changed_pixels(drawn(font, "\n\t\x7F ")), 0);
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_GT(changed_pixels(drawn(font, all)), 0);
  EXPECT_LE(font.width(font.cut(all, 100)), 100);
}

TEST(Font, ASizeThatCannotBeIsABug) {
  test::expect_error(ExitCode::bug, {"4 to 400"}, [] { Font(3); });
}

}  // namespace
}  // namespace convoy
