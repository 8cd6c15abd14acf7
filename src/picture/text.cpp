#include "picture/text.hpp"

#include <freetype/freetype.h>
#include <ft2build.h>

#include <algorithm>
#include <cstddef>
#include <span>

#include "base/error.hpp"
#include "picture/utf8.hpp"

extern "C" {
// Of font_data.S. NOLINTNEXTLINE(modernize-avoid-c-arrays): symbols at the ends of the embedded file.
extern const unsigned char convoy_font_begin[], convoy_font_end[];
}

namespace convoy {
namespace {

void check(FT_Error error, const char* what) {
  if (error != 0) fail(ExitCode::device, "FreeType: {} failed with error {}", what, error);
}

// FreeType's lengths are 1/64 pixels.
int whole_pixels(FT_Pos length) {
  return static_cast<int>((length + 32) / 64);
}

int pixels_up(FT_Pos length) {
  return static_cast<int>((length + 63) / 64);
}

std::uint8_t blended(std::uint8_t below, std::uint8_t above, int coverage) {
  return static_cast<std::uint8_t>((below * (255 - coverage) + above * coverage + 127) / 255);
}

void blend_glyph(Picture& picture, const FT_Bitmap& glyph, int left, int top, Colour colour) {
  const int width = static_cast<int>(glyph.width), height = static_cast<int>(glyph.rows);
  for (int y = std::max(0, -top); y < std::min(height, picture.height - top); ++y) {
    const unsigned char* row = glyph.buffer + static_cast<std::ptrdiff_t>(y) * glyph.pitch;
    for (int x = std::max(0, -left); x < std::min(width, picture.width - left); ++x) {
      std::uint8_t* pixel = picture.at(left + x, top + y);
      pixel[0] = blended(pixel[0], colour.red, row[x]);
      pixel[1] = blended(pixel[1], colour.green, row[x]);
      pixel[2] = blended(pixel[2], colour.blue, row[x]);
    }
  }
}

}  // namespace

struct Font::Face {
  FT_Library library = nullptr;
  FT_Face face = nullptr;

  explicit Face(int size) {
    check(FT_Init_FreeType(&library), "starting");
    try {
      const std::span<const unsigned char> font(convoy_font_begin, convoy_font_end);
      check(FT_New_Memory_Face(library, font.data(), static_cast<FT_Long>(font.size()), 0, &face),
            "reading the font");
      check(FT_Set_Pixel_Sizes(face, 0, static_cast<FT_UInt>(size)), "setting the font's size");
    } catch (...) {
      FT_Done_FreeType(library);
      throw;
    }
  }
  ~Face() { FT_Done_FreeType(library); }  // and its faces
  Face(const Face&) = delete;
  Face& operator=(const Face&) = delete;

  FT_UInt glyph_of(char32_t code) const {
    return FT_Get_Char_Index(face, code < 0x20 || code == 0x7F ? FT_ULong{' '} : FT_ULong{code});
  }

  // Calls visit(glyph, x): loads each glyph of the text, `flags` added, at its distance from the text's
  // start. Returns the text's width.
  template <typename Visit>
  int for_each_glyph(std::string_view text, FT_Int32 flags, const Visit& visit) const {
    int x = 0;
    FT_UInt before = 0;
    for (const Character& character : characters_of(text)) {
      const FT_UInt glyph = glyph_of(character.code);
      FT_Vector kerning{};
      if (before != 0 && glyph != 0) FT_Get_Kerning(face, before, glyph, FT_KERNING_DEFAULT, &kerning);
      x += whole_pixels(kerning.x);
      check(FT_Load_Glyph(face, glyph, FT_LOAD_TARGET_LIGHT | flags), "loading a letter");
      visit(*face->glyph, x);
      x += whole_pixels(face->glyph->advance.x);
      before = glyph;
    }
    return x;
  }
};

Font::Font(int size) {
  ensure(size >= 4 && size <= 400, "a font has 4 to 400 pixels per em");
  face_ = std::make_unique<Face>(size);
}
Font::~Font() = default;
Font::Font(Font&&) noexcept = default;
Font& Font::operator=(Font&&) noexcept = default;

int Font::line_height() const {
  return pixels_up(face_->face->size->metrics.height);
}

int Font::width(std::string_view text) const {
  return face_->for_each_glyph(text, 0, [](const FT_GlyphSlotRec&, int) {});
}

std::string Font::cut(std::string_view text, int width) const {
  if (this->width(text) <= width) return std::string(text);
  const std::vector<Character> characters = characters_of(text);
  for (std::size_t kept = characters.size(); kept-- > 0;) {
    std::string shorter(text.substr(0, characters[kept].begin));
    while (shorter.ends_with(' ')) shorter.pop_back();
    shorter += "…";
    if (this->width(shorter) <= width) return shorter;
  }
  return {};
}

void Font::draw(Picture& picture, int x, int y, std::string_view text, Colour colour) const {
  const int baseline = y + pixels_up(face_->face->size->metrics.ascender);
  face_->for_each_glyph(text, FT_LOAD_RENDER, [&](const FT_GlyphSlotRec& glyph, int distance) {
    blend_glyph(picture, glyph.bitmap, x + distance + glyph.bitmap_left, baseline - glyph.bitmap_top, colour);
  });
}

}  // namespace convoy
