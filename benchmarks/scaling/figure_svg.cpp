#include <fmt/format.h>

#include "figure.hpp"

namespace convoy::scaling {
namespace {

std::string escaped(const std::string& text) {
  std::string result;
  for (const char letter : text) {
    switch (letter) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += letter;
    }
  }
  return result;
}

std::string hex(Colour colour) {
  return fmt::format("#{:02x}{:02x}{:02x}", colour.red, colour.green, colour.blue);
}

// 12.5, 3: no digits that do not count.
std::string length(double value) {
  std::string text = fmt::format("{:.2f}", value);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text == "-0" ? "0" : text;
}

struct Writer {
  std::string& out;

  void operator()(const Box& box) const {
    out += fmt::format(R"(<rect x="{}" y="{}" width="{}" height="{}" fill="{}"/>)", length(box.x),
                       length(box.y), length(box.width), length(box.height), hex(box.fill));
  }
  void operator()(const Line& line) const {
    out += R"(<polyline points=")";
    for (std::size_t i = 0; i < line.points.size(); ++i)
      out += fmt::format("{}{},{}", i == 0 ? "" : " ", length(line.points[i].first),
                         length(line.points[i].second));
    out += fmt::format(R"(" fill="none" stroke="{}" stroke-width="{}" stroke-linejoin="round"{}/>)",
                       hex(line.colour), length(line.width), line.dashed ? R"( stroke-dasharray="6 5")" : "");
  }
  void operator()(const Dot& dot) const {
    out += fmt::format(R"(<circle cx="{}" cy="{}" r="{}" fill="{}" stroke="{}" stroke-width="2"/>)",
                       length(dot.x), length(dot.y), length(dot.radius),
                       dot.hollow ? "#ffffff" : hex(dot.colour), hex(dot.colour));
  }
  void operator()(const Text& text) const {
    const char* anchor = text.anchor == Anchor::start    ? ""
                         : text.anchor == Anchor::middle ? R"( text-anchor="middle")"
                                                         : R"( text-anchor="end")";
    out += fmt::format(R"(<text x="{}" y="{}" font-size="{}" fill="{}"{}>{}</text>)", length(text.x),
                       length(text.y + 0.36 * text.size), text.size, hex(text.colour), anchor,
                       escaped(text.text));
  }
};

}  // namespace

std::string svg_text(const Figure& figure) {
  std::string out = fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="img" )"
      R"(font-family="DejaVu Sans, Verdana, sans-serif">)"
      "\n",
      figure.width, figure.height);
  out += fmt::format("<title>{}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
                     escaped(figure.title));
  for (const auto& shape : figure.shapes) {
    std::visit(Writer{out}, shape);
    out += '\n';
  }
  return out + "</svg>\n";
}

}  // namespace convoy::scaling
