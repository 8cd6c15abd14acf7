#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "axis.hpp"
#include "plot_style.hpp"
#include "plots.hpp"

namespace convoy::scaling {
namespace {

constexpr int width = 1000;
constexpr double margin = 20, names = 96, values = 84, bar = 18, row = 26, heading = 30;

struct Part {
  const char* name;
  double Phases::*seconds;
  Colour colour;
};

constexpr std::array<Part, 5> parts = {{{"input", &Phases::input, {141, 107, 184}},
                                        {"forward", &Phases::forward, {150, 191, 232}},
                                        {"backward", &Phases::backward, {47, 109, 181}},
                                        {"exposed communication", &Phases::exposed, {224, 112, 42}},
                                        {"update", &Phases::update, {89, 168, 105}}}};
constexpr Colour other_colour{201, 206, 214};

std::vector<LegendEntry> legend_entries() {
  const auto entry = [](const char* name, Colour colour) {
    return LegendEntry{name, [colour](Figure& figure, double x, double y) {
                         figure.add(Box{.x = x, .y = y - 7, .width = 24, .height = 14, .fill = colour});
                       }};
  };
  std::vector<LegendEntry> entries;
  for (const Part& part : parts) entries.push_back(entry(part.name, part.colour));
  entries.push_back(entry("other", other_colour));
  entries.push_back({"whole step", [](Figure& figure, double x, double y) {
                       figure.add(Line{{{x + 12, y - 9}, {x + 12, y + 9}}, ink, 2.4});
                     }});
  return entries;
}

// Ranks that are ahead wait for the others; of the communication the bar shows what the last rank is left
// with.
Phases shown_phases(const Repeat& repeat) {
  Phases phases = repeat.phases;
  const double others = phases.sum() - phases.exposed;
  phases.exposed = std::clamp(repeat.step_seconds - others, 0.0, phases.exposed);
  return phases;
}

double longest_of(const Results& results, const std::string& model) {
  double longest = 0;
  for (const PointResult& result : results.points)
    if (result.point.model == model && result.measured())
      longest = std::max({longest, result.median.step_seconds, shown_phases(result.median).sum()});
  return longest;
}

// White under a text, over the lines of the marks, which would run through its letters.
void add_cover(Figure& figure, const std::string& text, double x, double y) {
  constexpr double room = 4;
  figure.add(Box{.x = x - room,
                 .y = y - 9,
                 .width = text_width(text, 13) + 2 * room,
                 .height = 18,
                 .fill = {255, 255, 255}});
}

void add_bar(Figure& figure, const PointResult& result, const Axis& x, double y) {
  figure.add(
      Text{.x = margin + names - 10,
           .y = y,
           .text = fmt::format("{} {}", result.point.ranks, result.point.ranks == 1 ? "rank" : "ranks"),
           .colour = faint,
           .anchor = Anchor::end});
  if (!result.measured()) {
    figure.add(Text{.x = x.at(0) + 6, .y = y, .text = "failed", .colour = faint});
    return;
  }
  double seconds = 0;
  const auto add = [&](double more, Colour colour) {
    const double begin = x.at(seconds * 1e3);
    seconds += more;
    figure.add(Box{
        .x = begin, .y = y - bar / 2, .width = x.at(seconds * 1e3) - begin, .height = bar, .fill = colour});
  };
  const Phases phases = shown_phases(result.median);
  for (const Part& part : parts) add(phases.*part.seconds, part.colour);
  const double step = result.median.step_seconds;
  if (step > seconds) add(step - seconds, other_colour);
  const double end = x.at(step * 1e3);
  figure.add(Line{{{end, y - bar / 2 - 2}, {end, y + bar / 2 + 2}}, ink, 2.4});
  const std::string label = number_text(step * 1e3) + " ms" + (result.unsteady() ? " *" : "");
  const double place = std::max(end, x.at(seconds * 1e3)) + 8;
  add_cover(figure, label, place, y);
  figure.add(Text{.x = place, .y = y, .text = label, .colour = ink});
}

// Returns the height.
double add_model(Figure& figure, const Results& results, const std::string& model, double top) {
  figure.add(Text{.x = margin, .y = top + 12, .text = model, .colour = ink, .size = 17});
  double height = 34;
  for (const SeriesResult& one : results.series)
    if (one.series.model == model) height += heading + row * static_cast<double>(one.points.size());
  const std::vector<double> marks = linear_marks(std::max(longest_of(results, model) * 1e3, 1e-3), 8);
  const double bottom = top + height + 4;
  const Axis x(0, marks.back(), margin + names, width - margin - values, false);
  for (const double mark : marks) {
    figure.add(Line{{{x.at(mark), top + 34}, {x.at(mark), bottom}}, grid, 1});
    figure.add(Text{.x = x.at(mark),
                    .y = bottom + 14,
                    .text = number_text(mark),
                    .colour = faint,
                    .size = 12,
                    .anchor = Anchor::middle});
  }
  figure.add(Text{.x = 0.5 * (x.at(0) + x.at(marks.back())),
                  .y = bottom + 36,
                  .text = "milliseconds a step",
                  .colour = ink,
                  .anchor = Anchor::middle});
  double y = top + 34;
  for (const SeriesResult& one : results.series) {
    if (one.series.model != model) continue;
    const std::string label = label_of(one.series);
    add_cover(figure, label, x.at(0) + 6, y + 15);
    figure.add(Text{.x = x.at(0) + 6, .y = y + 15, .text = label, .colour = ink});
    y += heading;
    for (const std::size_t index : one.points) {
      add_bar(figure, results.points[index], x, y + row / 2 - 2);
      y += row;
    }
  }
  figure.add(Line{{{x.at(0), top + 34}, {x.at(0), bottom}}, frame_colour, 1.2});
  return height + 4 + 62;
}

}  // namespace

Figure step_plot(const Results& results) {
  Figure figure{.width = width, .height = 0, .title = "Time of a step by phase", .shapes = {}};
  double top = margin + add_legend(figure, legend_entries(), margin, margin + 8, width - 2 * margin) + 16;
  for (const std::string& model : results.models()) top += add_model(figure, results, model, top);
  const bool starred =
      std::ranges::any_of(results.points, [](const PointResult& point) { return point.unsteady(); });
  if (starred) {
    figure.add(Text{.x = margin,
                    .y = top,
                    .text = fmt::format("* repeats vary by more than {:.0f} %", steady_spread * 100),
                    .colour = faint});
    top += 24;
  }
  figure.height = static_cast<int>(std::ceil(top));
  return figure;
}

}  // namespace convoy::scaling
