// Text in pictures: one font (DejaVu Sans, embedded in the program) at one size. Used by everything that
// draws captions, names and numbers.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "picture/picture.hpp"

namespace convoy {

// Texts are UTF-8 in one line. A byte that is not UTF-8 shows as U+FFFD, a character that the font lacks as
// an empty box, a control character as a blank. Not thread-safe.
class Font {
 public:
  explicit Font(int size);  // pixels per em, 4…400
  ~Font();
  Font(Font&&) noexcept;
  Font& operator=(Font&&) noexcept;

  int line_height() const;                 // room for a line, from its top to the next one's
  int width(std::string_view text) const;  // pixels

  // The text itself if it fits into `width` pixels, otherwise its beginning and "…"; empty where not even
  // that fits.
  std::string cut(std::string_view text, int width) const;

  // Blends the text, antialiased, into the picture. (x, y) is the top left corner of the line; what lies
  // outside the picture is cut off.
  void draw(Picture& picture, int x, int y, std::string_view text, Colour colour) const;

 private:
  struct Face;
  std::unique_ptr<Face> face_;
};

}  // namespace convoy
