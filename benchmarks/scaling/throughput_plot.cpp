#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "axis.hpp"
#include "plot_style.hpp"
#include "plots.hpp"

namespace convoy::scaling {
namespace {

constexpr int width = 1000;
constexpr double margin = 20, panel_height = 300, left_of_panel = 72, between_panels = 90;

struct Frame {
  double left, right, top, bottom;
};

// The series of a network with the numbers that they are coloured by.
std::vector<const SeriesResult*> series_of(const Results& results, const std::string& model) {
  std::vector<const SeriesResult*> series;
  for (const SeriesResult& one : results.series)
    if (one.series.model == model) series.push_back(&one);
  return series;
}

class Panels {
 public:
  Panels(Figure& figure, const Results& results, const std::string& model)
      : figure_(figure), results_(results), series_(series_of(results, model)) {
    for (const SeriesResult* one : series_) {
      for (const std::size_t index : one->points) {
        const PointResult& point = results.points[index];
        ranks_.insert(point.point.ranks);
        failed_ = failed_ || !point.measured();
        unsteady_ = unsteady_ || point.unsteady();
      }
    }
  }

  // Draws the network's row from `top` on; returns its height.
  double draw(double top, const std::string& model) {
    figure_.add(Text{.x = margin, .y = top + 12, .text = model, .colour = ink, .size = 17});
    const double legend = add_legend(figure_, legend_entries(), margin, top + 42, width - 2 * margin);
    const double above = top + 42 + legend + 30;
    const double middle = 0.62 * width;
    throughput({margin + left_of_panel, middle - between_panels / 2, above, above + panel_height});
    efficiency({middle + between_panels / 2, width - margin - 8, above, above + panel_height});
    return above + panel_height + 64 - top;
  }

 private:
  std::vector<LegendEntry> legend_entries() const {
    std::vector<LegendEntry> entries;
    for (std::size_t i = 0; i < series_.size(); ++i)
      entries.push_back({label_of(series_[i]->series), [i](Figure& figure, double x, double y) {
                           figure.add(Line{{{x, y}, {x + 24, y}}, series_colour(i), 2.2});
                           figure.add(Dot{.x = x + 12, .y = y, .colour = series_colour(i)});
                         }});
    entries.push_back({"ideal", [](Figure& figure, double x, double y) {
                         figure.add(Line{{{x, y}, {x + 24, y}}, faint, 1.6, true});
                       }});
    if (unsteady_)
      entries.push_back({fmt::format("repeats vary by more than {:.0f} %", steady_spread * 100),
                         [](Figure& figure, double x, double y) {
                           figure.add(Dot{.x = x + 12, .y = y, .colour = faint, .hollow = true});
                         }});
    if (failed_)
      entries.push_back(
          {"failed", [](Figure& figure, double x, double y) { cross(figure, x + 12, y, faint); }});
    return entries;
  }

  static void cross(Figure& figure, double x, double y, Colour colour) {
    figure.add(Line{{{x - 5, y - 5}, {x + 5, y + 5}}, colour, 2.2});
    figure.add(Line{{{x - 5, y + 5}, {x + 5, y - 5}}, colour, 2.2});
  }

  Axis rank_axis(const Frame& frame) const {
    return {static_cast<double>(*ranks_.begin()), static_cast<double>(*ranks_.rbegin()), frame.left + 24,
            frame.right - 24, true};
  }

  // The frame, lines at the marks and both axes' texts.
  void axes(const Frame& frame, const Axis& y, const std::vector<double>& marks, const std::string& title,
            const char* unit) {
    for (const double mark : marks) {
      figure_.add(Line{{{frame.left, y.at(mark)}, {frame.right, y.at(mark)}}, grid, 1});
      figure_.add(Text{.x = frame.left - 8,
                       .y = y.at(mark),
                       .text = number_text(mark) + unit,
                       .colour = faint,
                       .size = 12,
                       .anchor = Anchor::end});
    }
    const Axis x = rank_axis(frame);
    double taken = -1e9;
    for (const int ranks : ranks_) {
      const double place = x.at(ranks);
      figure_.add(Line{{{place, frame.bottom}, {place, frame.bottom + 5}}, frame_colour, 1});
      const std::string text = number_text(ranks);
      const double half = text_width(text, 12) / 2;
      if (place - half < taken + 6) continue;
      figure_.add(Text{.x = place,
                       .y = frame.bottom + 17,
                       .text = text,
                       .colour = faint,
                       .size = 12,
                       .anchor = Anchor::middle});
      taken = place + half;
    }
    figure_.add(Line{{{frame.left, frame.top}, {frame.left, frame.bottom}, {frame.right, frame.bottom}},
                     frame_colour,
                     1.2});
    figure_.add(
        Text{.x = frame.left - left_of_panel + 12, .y = frame.top - 20, .text = title, .colour = ink});
    figure_.add(Text{.x = 0.5 * (frame.left + frame.right),
                     .y = frame.bottom + 40,
                     .text = "ranks",
                     .colour = ink,
                     .anchor = Anchor::middle});
  }

  const PointResult& point(const SeriesResult& one, std::size_t i) const {
    return results_.points[one.points[i]];
  }

  // The smallest measured point; none: null.
  const PointResult* smallest(const SeriesResult& one) const {
    const PointResult* found = nullptr;
    for (std::size_t i = 0; i < one.points.size(); ++i) {
      const PointResult& candidate = point(one, i);
      if (candidate.measured() && (found == nullptr || candidate.point.ranks < found->point.ranks))
        found = &candidate;
    }
    return found;
  }

  void throughput(const Frame& frame) {
    double low = 1e300, high = 0;
    for (const SeriesResult* one : series_) {
      const PointResult* first = smallest(*one);
      if (first == nullptr) continue;
      high = std::max(high, first->median.images_per_second * *ranks_.rbegin() / first->point.ranks);
      for (std::size_t i = 0; i < one->points.size(); ++i) {
        if (!point(*one, i).measured()) continue;
        low = std::min(low, point(*one, i).least);
        high = std::max(high, point(*one, i).most);
      }
    }
    if (high <= 0) low = 1, high = 10;
    const std::vector<double> marks = logarithmic_marks(low, high);
    const Axis y(marks.front(), marks.back(), frame.bottom, frame.top, true), x = rank_axis(frame);
    axes(frame, y, marks, "images/s", "");
    for (std::size_t number = 0; number < series_.size(); ++number) ideal(*series_[number], number, x, y);
    for (std::size_t number = 0; number < series_.size(); ++number) {
      const SeriesResult& one = *series_[number];
      curve(
          one, number, x, frame, [&](std::size_t i) { return y.at(point(one, i).median.images_per_second); },
          [&](std::size_t i) { return std::pair(y.at(point(one, i).least), y.at(point(one, i).most)); });
    }
  }

  void ideal(const SeriesResult& one, std::size_t number, const Axis& x, const Axis& y) {
    const PointResult* first = smallest(one);
    if (first == nullptr) return;
    const double ranks = *ranks_.rbegin(), speed = first->median.images_per_second / first->point.ranks;
    figure_.add(Line{{{x.at(first->point.ranks), y.at(first->median.images_per_second)},
                      {x.at(ranks), y.at(speed * ranks)}},
                     paler(series_colour(number)),
                     1.6,
                     true});
  }

  // The line through the measured points, with their extremes; crosses at the bottom for those that failed.
  template <typename Height, typename Extremes>
  void curve(const SeriesResult& one, std::size_t number, const Axis& x, const Frame& frame,
             const Height& height, const Extremes& extremes) {
    const Colour colour = series_colour(number);
    Line line{{}, colour, 2.2};
    for (std::size_t i = 0; i < one.points.size(); ++i)
      if (point(one, i).measured()) line.points.emplace_back(x.at(point(one, i).point.ranks), height(i));
    if (line.points.size() > 1) figure_.add(line);
    for (std::size_t i = 0; i < one.points.size(); ++i) {
      const PointResult& result = point(one, i);
      const double place = x.at(result.point.ranks);
      if (!result.measured()) {
        cross(figure_, place + 14.0 * static_cast<double>(number), frame.bottom - 10, colour);
        continue;
      }
      const auto [least, most] = extremes(i);
      figure_.add(Line{{{place, least}, {place, most}}, colour, 1.4});
      figure_.add(Dot{.x = place, .y = height(i), .colour = colour, .hollow = result.unsteady()});
    }
  }

  void efficiency(const Frame& frame) {
    double high = 1;
    for (const SeriesResult* one : series_)
      for (const std::optional<double>& value : one->efficiency) high = std::max(high, value.value_or(0));
    const std::vector<double> marks = linear_marks(std::ceil(high * 10 - 0.2) * 10, 6);
    const Axis y(0, marks.back(), frame.bottom, frame.top, false), x = rank_axis(frame);
    axes(frame, y, marks, "efficiency", " %");
    figure_.add(Line{{{frame.left, y.at(100)}, {frame.right, y.at(100)}}, faint, 1.6, true});
    for (std::size_t number = 0; number < series_.size(); ++number) {
      const SeriesResult& one = *series_[number];
      const auto height = [&](std::size_t i) { return y.at(100 * one.efficiency[i].value_or(0)); };
      curve(one, number, x, frame, height, [&](std::size_t i) { return std::pair(height(i), height(i)); });
    }
  }

  Figure& figure_;
  const Results& results_;
  std::vector<const SeriesResult*> series_;
  std::set<int> ranks_;
  bool failed_ = false, unsteady_ = false;
};

}  // namespace

Figure throughput_plot(const Results& results) {
  Figure figure{.width = width,
                .height = 0,
                .title = "Images per second and efficiency by number of ranks",
                .shapes = {}};
  double top = margin;
  for (const std::string& model : results.models()) top += Panels(figure, results, model).draw(top, model);
  figure.height = static_cast<int>(std::ceil(top));
  return figure;
}

}  // namespace convoy::scaling
