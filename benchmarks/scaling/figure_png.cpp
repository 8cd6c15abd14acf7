#include <algorithm>
#include <cmath>

#include "figure.hpp"
#include "picture/text.hpp"

namespace convoy::scaling {
namespace {

void blend(Picture& picture, int x, int y, Colour colour, double coverage) {
  if (x < 0 || y < 0 || x >= picture.width || y >= picture.height || coverage <= 0) return;
  std::uint8_t* pixel = picture.at(x, y);
  const double share = std::min(coverage, 1.0);
  const auto mix = [share](std::uint8_t below, std::uint8_t above) {
    return static_cast<std::uint8_t>(std::lround(below + (above - below) * share));
  };
  pixel[0] = mix(pixel[0], colour.red);
  pixel[1] = mix(pixel[1], colour.green);
  pixel[2] = mix(pixel[2], colour.blue);
}

struct Place {
  double x = 0, y = 0;
};

double distance(Place point, Place begin, Place end) {
  const double dx = end.x - begin.x, dy = end.y - begin.y, square = dx * dx + dy * dy;
  const double along =
      square > 0 ? std::clamp(((point.x - begin.x) * dx + (point.y - begin.y) * dy) / square, 0.0, 1.0) : 0;
  return std::hypot(point.x - begin.x - along * dx, point.y - begin.y - along * dy);
}

// A stroke with round ends; its edge is blended over one pixel.
void stroke(Picture& picture, Place begin, Place end, double radius, Colour colour) {
  const double reach = radius + 1;
  const int left = static_cast<int>(std::floor(std::min(begin.x, end.x) - reach));
  const int right = static_cast<int>(std::ceil(std::max(begin.x, end.x) + reach));
  const int top = static_cast<int>(std::floor(std::min(begin.y, end.y) - reach));
  const int bottom = static_cast<int>(std::ceil(std::max(begin.y, end.y) + reach));
  for (int y = std::max(0, top); y <= std::min(bottom, picture.height - 1); ++y)
    for (int x = std::max(0, left); x <= std::min(right, picture.width - 1); ++x)
      blend(picture, x, y, colour, radius + 0.5 - distance({x + 0.5, y + 0.5}, begin, end));
}

struct Drawer {
  Picture& picture;
  int scale;

  // Edges between pixels are blended, so that thin boxes keep their size.
  void operator()(const Box& box) const {
    const double left = box.x * scale, right = (box.x + box.width) * scale;
    const double top = box.y * scale, bottom = (box.y + box.height) * scale;
    const auto share = [](double begin, double end, int pixel) {
      return std::min(end, pixel + 1.0) - std::max(begin, static_cast<double>(pixel));
    };
    for (int y = static_cast<int>(top); y < std::ceil(bottom); ++y)
      for (int x = static_cast<int>(left); x < std::ceil(right); ++x)
        blend(picture, x, y, box.fill, share(left, right, x) * share(top, bottom, y));
  }

  void operator()(const Line& line) const {
    const double radius = line.width * scale / 2;
    double travelled = 0;  // dashes go on around corners
    for (std::size_t i = 1; i < line.points.size(); ++i) {
      const Place begin{line.points[i - 1].first * scale, line.points[i - 1].second * scale};
      const Place end{line.points[i].first * scale, line.points[i].second * scale};
      if (line.dashed) {
        travelled = dashes(begin, end, travelled, radius, line.colour);
      } else {
        stroke(picture, begin, end, radius, line.colour);
      }
    }
  }

  double dashes(Place begin, Place end, double travelled, double radius, Colour colour) const {
    const double dash = 6.0 * scale, period = 11.0 * scale;
    const double length = std::hypot(end.x - begin.x, end.y - begin.y);
    const auto at = [&](double along) {
      const double share = length > 0 ? along / length : 0;
      return Place{begin.x + (end.x - begin.x) * share, begin.y + (end.y - begin.y) * share};
    };
    for (double place = -std::fmod(travelled, period); place < length; place += period) {
      const double from = std::max(place, 0.0), to = std::min(place + dash, length);
      if (to > from) stroke(picture, at(from), at(to), radius, colour);
    }
    return travelled + length;
  }

  void operator()(const Dot& dot) const {
    const Place centre{dot.x * scale, dot.y * scale};
    stroke(picture, centre, centre, (dot.radius + 1) * scale, dot.colour);
    if (dot.hollow) stroke(picture, centre, centre, (dot.radius - 1) * scale, {255, 255, 255});
  }

  void operator()(const Text& text) const {
    const Font font(text.size * scale);
    const int width = font.width(text.text);
    const double shift = text.anchor == Anchor::start    ? 0
                         : text.anchor == Anchor::middle ? width / 2.0
                                                         : width;
    // Capitals are 0.73 of the font's size high, and the line begins 0.93 above its baseline.
    const double baseline = (text.y + 0.36 * text.size) * scale;
    font.draw(picture, static_cast<int>(std::lround(text.x * scale - shift)),
              static_cast<int>(std::lround(baseline - 0.93 * text.size * scale)), text.text, text.colour);
  }
};

}  // namespace

Picture drawn(const Figure& figure, int scale) {
  Picture picture(figure.width * scale, figure.height * scale, {255, 255, 255});
  for (const auto& shape : figure.shapes) std::visit(Drawer{picture, scale}, shape);
  return picture;
}

double text_width(const std::string& text, int size) {
  return Font(size).width(text);
}

}  // namespace convoy::scaling
