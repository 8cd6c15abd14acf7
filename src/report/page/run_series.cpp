#include "report/page/run_series.hpp"

#include <cmath>
#include <span>
#include <string_view>
#include <vector>

#include "report/page/thinning.hpp"

namespace convoy {
namespace {

using Json = nlohmann::ordered_json;

struct Series {
  std::string_view name;
  Column column;
};

// The series of one chart share their steps: the rows at which any of them is extreme.
Json group_of(const Columns& records, std::span<const Series> group, std::size_t columns) {
  Json json;
  std::vector<std::span<const double>> values;
  for (const Series& series : group)
    if (records.has(series.column)) values.emplace_back(records[series.column]);
  if (values.empty()) return json;
  const std::size_t of_group = std::max<std::size_t>(columns / values.size(), 1);
  const std::vector<std::size_t> rows = rows_to_draw(records[Column::step], values, of_group);
  const auto add = [&](std::string_view name, Column column) {
    Json& list = json[std::string(name)] = Json::array();
    for (const std::size_t row : rows) list.push_back(json_number(records[column][row]));
  };
  add("step", Column::step);
  for (const Series& series : group)
    if (records.has(series.column)) add(series.name, series.column);
  return json;
}

}  // namespace

Json json_number(double value) {
  if (!std::isfinite(value)) return nullptr;
  if (value == std::floor(value) && std::abs(value) < 9e15) return static_cast<std::int64_t>(value);
  return value;
}

Json step_series(const Columns& steps, std::size_t columns) {
  constexpr std::array loss = {Series{"loss", Column::loss}};
  constexpr std::array top1 = {Series{"top1", Column::top1}};
  constexpr std::array rate = {Series{"lr", Column::rate}};
  constexpr std::array speed = {Series{"images_per_second", Column::speed}};
  constexpr std::array phases = {Series{"input", Column::input}, Series{"forward", Column::forward},
                                 Series{"backward", Column::backward}, Series{"exposed", Column::exposed},
                                 Series{"update", Column::update}};
  constexpr std::array ranks = {Series{"least", Column::least}, Series{"median", Column::median},
                                Series{"most", Column::most}};
  Json json = Json::object();
  const auto add = [&](const char* name, std::span<const Series> group) {
    Json of_group = group_of(steps, group, columns);
    if (!of_group.is_null()) json[name] = std::move(of_group);
  };
  add("loss", loss);
  add("top1", top1);
  add("rate", rate);
  add("speed", speed);
  add("phases", phases);
  add("ranks", ranks);
  return json;
}

Json validation_series(const Columns& validations, std::size_t columns) {
  constexpr std::array all = {Series{"epoch", Column::epoch}, Series{"samples", Column::samples},
                              Series{"loss", Column::loss}, Series{"top1", Column::top1},
                              Series{"top5", Column::top5}};
  return group_of(validations, all, 2 * columns);
}

}  // namespace convoy
