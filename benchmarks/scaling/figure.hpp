// A drawing as a list of shapes, which becomes an SVG file and a PNG file that look alike. For the plots of
// benchmark_scaling_page.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "picture/picture.hpp"

namespace convoy::scaling {

// Lengths are pixels of the SVG; y grows downwards.
struct Box {
  double x = 0, y = 0, width = 0, height = 0;
  Colour fill;
};

struct Line {
  std::vector<std::pair<double, double>> points;
  Colour colour;
  double width = 1;
  bool dashed = false;
};

struct Dot {
  double x = 0, y = 0, radius = 4;
  Colour colour;
  bool hollow = false;  // white inside
};

enum class Anchor { start, middle, end };

// One line; (x, y) is its start, middle or end, at half the height of its capitals.
struct Text {
  double x = 0, y = 0;
  std::string text;
  Colour colour;
  int size = 13;
  Anchor anchor = Anchor::start;
};

struct Figure {
  int width = 0, height = 0;
  std::string title;                                       // for readers that show it, not drawn
  std::vector<std::variant<Box, Line, Dot, Text>> shapes;  // later ones cover earlier ones

  template <typename Shape>
  void add(Shape shape) {
    shapes.emplace_back(std::move(shape));
  }
};

std::string svg_text(const Figure& figure);

// `scale` pixels for each of the SVG's.
Picture drawn(const Figure& figure, int scale);

// The width of a text in the font that both files use.
double text_width(const std::string& text, int size);

}  // namespace convoy::scaling
