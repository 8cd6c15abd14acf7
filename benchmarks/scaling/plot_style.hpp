// Colours and sizes that the plots have in common, and their legends. For throughput_plot.cpp and
// step_plot.cpp.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "figure.hpp"

namespace convoy::scaling {

inline constexpr Colour ink{33, 37, 43}, faint{98, 105, 115}, grid{226, 229, 234},
    frame_colour{150, 156, 166};

// Told apart in print and by people who do not see red and green apart.
inline constexpr std::array<Colour, 6> series_colours = {
    {{31, 95, 168}, {217, 115, 13}, {34, 139, 96}, {176, 64, 127}, {122, 82, 48}, {70, 84, 103}}};

inline Colour series_colour(std::size_t number) {
  return series_colours[number % series_colours.size()];
}

// A lighter version, for lines that only compare.
inline Colour paler(Colour colour) {
  const auto mix = [](int part) { return static_cast<std::uint8_t>(part + (255 - part) * 45 / 100); };
  return {mix(colour.red), mix(colour.green), mix(colour.blue)};
}

struct LegendEntry {
  std::string text;
  std::function<void(Figure&, double x, double y)> sample;  // draws at (x, y), 26 wide
};

// Entries from (x, y) on, in as many rows as `width` takes; y is the middle of the first. Returns the height.
double add_legend(Figure& figure, const std::vector<LegendEntry>& entries, double x, double y, double width);

}  // namespace convoy::scaling
