#include "plot_style.hpp"

namespace convoy::scaling {

double add_legend(Figure& figure, const std::vector<LegendEntry>& entries, double x, double y, double width) {
  constexpr double row = 22, sample = 32, gap = 22;
  constexpr int size = 13;
  double column = x, line = y;
  for (const LegendEntry& entry : entries) {
    const double wide = sample + text_width(entry.text, size);
    if (column > x && column + wide > x + width) column = x, line += row;
    entry.sample(figure, column, line);
    figure.add(Text{.x = column + sample, .y = line, .text = entry.text, .colour = ink, .size = size});
    column += wide + gap;
  }
  return line - y + row;
}

}  // namespace convoy::scaling
