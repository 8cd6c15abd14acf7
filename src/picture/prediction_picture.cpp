#include "picture/prediction_picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "picture/canvas.hpp"
#include "picture/palette.hpp"
#include "picture/text.hpp"

namespace convoy {
namespace {

constexpr int margin = 20;
constexpr int bars_width = 420, bar_height = 12;
constexpr int name_distance = 3;  // from a name to the bar below it
constexpr int bar_distance = 16;  // from a bar to the name below it

// As large as its side permits, by a whole factor: pixels stay visible as they are.
Picture enlarged(const Picture& image) {
  return magnified(image, std::max(prediction_image_side / std::max(image.width, image.height), 1));
}

class Panel {
 public:
  int height(std::size_t bars) const { return static_cast<int>(bars) * step() - bar_distance; }

  void draw(Picture& picture, int x, int y, std::span<const ClassBar> bars) const {
    for (std::size_t i = 0; i < bars.size(); ++i) {
      draw_bar(picture, x, y + static_cast<int>(i) * step(), bars[i], i == 0 ? ink : faint_ink);
    }
  }

 private:
  int step() const { return font_.line_height() + name_distance + bar_height + bar_distance; }

  void draw_bar(Picture& picture, int x, int y, const ClassBar& bar, Colour text) const {
    const double share = std::isfinite(bar.probability) ? std::clamp(bar.probability, 0.0, 1.0) : 0;
    const std::string percentage = fmt::format("{:.1f} %", 100 * share);
    const int percentage_width = font_.width(percentage);
    font_.draw(picture, x, y, font_.cut(bar.name, bars_width - percentage_width - 16), text);
    font_.draw(picture, x + bars_width - percentage_width, y, percentage, text);
    const int top = y + font_.line_height() + name_distance;
    fill_rectangle(picture, x, top, bars_width, bar_height, bar_track);
    // A class that is not impossible is visible.
    const int length = share > 0 ? std::max(static_cast<int>(std::lround(share * bars_width)), 1) : 0;
    fill_rectangle(picture, x, top, length, bar_height, bar_colour);
  }

  Font font_{16};
};

}  // namespace

Picture prediction_picture(const Picture& image, const std::string& caption, std::span<const ClassBar> bars) {
  ensure(image.width > 0 && image.height > 0 && !bars.empty(), "a prediction has an image and classes");
  const Picture shown = enlarged(image);
  const Font small(12);
  const Panel panel;
  const int left_height = shown.height + 6 + small.line_height();
  const int content = std::max(left_height, panel.height(bars.size()));
  Picture picture(margin + shown.width + margin + bars_width + margin, margin + content + margin, paper);
  const int top = margin + (content - left_height) / 2;
  paste(picture, shown, margin, top);
  small.draw(picture, margin, top + shown.height + 6, small.cut(caption, shown.width), faint_ink);
  panel.draw(picture, margin + shown.width + margin, margin + (content - panel.height(bars.size())) / 2,
             bars);
  return picture;
}

}  // namespace convoy
