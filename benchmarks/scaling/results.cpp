#include "results.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/atomic_file.hpp"
#include "base/error.hpp"

namespace convoy::scaling {
namespace {

Json read_json(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return nullptr;
  Json json = Json::parse(read_text_file(path), nullptr, false);
  return json.is_discarded() ? Json(nullptr) : json;
}

// Without bytes that belong to no letter, which JSON refuses: a reason may be cut off within one.
std::string read_text(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return {};
  std::string text = read_text_file(path);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return Json::parse(Json(text).dump(-1, ' ', false, Json::error_handler_t::replace)).get<std::string>();
}

// Does what reads a file of the point; if that cannot be read, the reason is the point's failure.
template <typename Work>
void read_part(PointResult& result, const std::filesystem::path& file, const Work& work) {
  try {
    work();
  } catch (const std::exception& error) {
    const std::string reason = error.what();
    const bool names_it = reason.find(file.string()) != std::string::npos;
    result.failure = names_it ? reason : fmt::format("{}: {}", file.string(), reason);
  }
}

template <typename Value>
double median_of(const std::vector<Repeat>& repeats, Value value) {
  std::vector<double> values;
  values.reserve(repeats.size());
  for (const Repeat& repeat : repeats) values.push_back(value(repeat));
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : 0.5 * (values[middle - 1] + values[middle]);
}

// Each figure by itself.
void take_medians(PointResult& result) {
  const auto median = [&](auto value) { return median_of(result.repeats, value); };
  Repeat& m = result.median;
  m.images_per_second = median([](const Repeat& r) { return r.images_per_second; });
  m.step_seconds = median([](const Repeat& r) { return r.step_seconds; });
  m.phases = {.input = median([](const Repeat& r) { return r.phases.input; }),
              .forward = median([](const Repeat& r) { return r.phases.forward; }),
              .backward = median([](const Repeat& r) { return r.phases.backward; }),
              .exposed = median([](const Repeat& r) { return r.phases.exposed; }),
              .update = median([](const Repeat& r) { return r.phases.update; })};
  m.least_work = median([](const Repeat& r) { return r.least_work; });
  m.most_work = median([](const Repeat& r) { return r.most_work; });
  result.least = result.most = result.repeats.front().images_per_second;
  for (const Repeat& repeat : result.repeats) {
    result.least = std::min(result.least, repeat.images_per_second);
    result.most = std::max(result.most, repeat.images_per_second);
  }
}

// From the run.json of the point's probe; returns the versions in it.
Json take_facts(PointResult& result, const Json& run) {
  if (!run.is_object()) return nullptr;
  result.parameters = run.value("parameters", 0.0);
  const Json topology = run.value("topology", Json::object());
  result.hosts = topology.value("nodes", 1);
  result.threads = topology.value("threads_per_rank", 0);
  result.device = topology.value("device", "");
  const Json devices = topology.value("devices", Json::array());
  if (result.device == "cuda" && !devices.empty() && devices[0].is_string()) result.device = devices[0];
  std::map<std::string, int> ranks;
  for (const Json& host : topology.value("hosts", Json::array()))
    if (host.is_string()) result.ranks_of_a_host = std::max(result.ranks_of_a_host, ++ranks[host]);
  const std::string wire = run.value("configuration", Json::object()).value("wire-precision", "fp32");
  const double ranks_in_all = result.point.ranks;
  result.wire_bytes = 2 * (ranks_in_all - 1) / ranks_in_all * result.parameters * (wire == "fp32" ? 4 : 2);
  return run.value("versions", Json());
}

void take_bandwidth(PointResult& result, const std::filesystem::path& folder,
                    const std::filesystem::path& trace) {
  if (result.point.ranks < 2) return;
  read_part(result, trace, [&] { result.summing_seconds = seconds_summing(trace); });
  if (result.summing_seconds && *result.summing_seconds > 0)
    result.bus_in_step = result.wire_bytes / *result.summing_seconds / 1e9;
  const std::filesystem::path alone = folder / "allreduce" / fmt::format("x{}.json", result.point.ranks);
  read_part(result, alone, [&] {
    const Json sums = read_json(alone);
    if (!sums.is_object() || sums.value("rows", Json::array()).empty()) return;
    result.bus_alone = sums.at("rows").at(0).value("busbw", 0.0);
  });
}

PointResult read_point(const Point& point, const std::filesystem::path& folder, Json& versions) {
  PointResult result;
  result.point = point;
  const std::filesystem::path place = folder / "points" / point.name;
  result.failure = read_text(place / "failure");
  read_part(result, place / "run.json", [&] {
    const Json found = take_facts(result, read_json(place / "run.json"));
    if (found.is_object()) versions = found;
  });
  const Json schedule = read_json(place / "schedule.json");
  for (int number = 1; schedule.is_object(); ++number) {
    const std::filesystem::path metrics = place / fmt::format("repeat-{}.jsonl", number);
    if (!std::filesystem::exists(metrics)) break;
    read_part(result, metrics,
              [&] { result.repeats.push_back(read_repeat(metrics, Schedule::from_json(schedule))); });
  }
  if (result.repeats.empty()) {
    if (result.failure.empty()) result.failure = "not measured yet";
    return result;
  }
  take_medians(result);
  take_bandwidth(result, folder, place / "trace.json");
  return result;
}

Plan read_plan(const Json& plan, const std::filesystem::path& folder) {
  try {
    return plan_from_json(plan);
  } catch (const Json::exception& error) {
    fail(ExitCode::bad_data, "{} is damaged: {}. Run the benchmark again", (folder / "plan.json").string(),
         error.what());
  }
}

SeriesResult result_of(const Series& series, const std::vector<PointResult>& points) {
  SeriesResult result{.series = series, .points = {}, .efficiency = {}};
  const PointResult* smallest = nullptr;
  for (const std::string& name : series.points) {
    const auto found = std::ranges::find(points, name, [](const PointResult& p) { return p.point.name; });
    if (found == points.end()) fail(ExitCode::bad_data, "plan.json: a series has the unknown point {}", name);
    result.points.push_back(static_cast<std::size_t>(found - points.begin()));
    const bool smaller = smallest == nullptr || found->point.ranks < smallest->point.ranks;
    if (found->measured() && smaller) smallest = &*found;
  }
  for (const std::size_t index : result.points) {
    const PointResult& point = points[index];
    std::optional<double>& efficiency = result.efficiency.emplace_back();
    if (!point.measured() || smallest == nullptr) continue;
    efficiency = (point.median.images_per_second / point.point.ranks) /
                 (smallest->median.images_per_second / smallest->point.ranks);
  }
  return result;
}

}  // namespace

std::vector<std::string> Results::models() const {
  std::vector<std::string> models;
  for (const SeriesResult& one : series)
    if (std::ranges::find(models, one.series.model) == models.end()) models.push_back(one.series.model);
  return models;
}

Results gather_results(const std::filesystem::path& folder) {
  Results results;
  const Json plan = read_json(folder / "plan.json");
  if (!plan.is_object())
    fail(ExitCode::bad_data, "{} has no plan.json: not a scaling benchmark", folder.string());
  results.machine = plan.value("machine", Json::object());
  results.about = read_json(folder / "about.json");
  results.command = read_text(folder / "command");
  const Plan read = read_plan(plan, folder);
  for (const Point& point : read.points)
    results.points.push_back(read_point(point, folder, results.versions));
  for (const Series& series : read.series) results.series.push_back(result_of(series, results.points));
  return results;
}

std::string label_of(const Series& series) {
  std::string label = fmt::format("{}, {}, {} {}", series.mode, series.precision, series.batch,
                                  series.mode == "weak" ? "a rank" : "in all");
  if (series.data == "drawn") return label;
  std::filesystem::path path(series.data);
  if (!path.has_filename()) path = path.parent_path();
  return label + ", " + path.filename().string();
}

}  // namespace convoy::scaling
