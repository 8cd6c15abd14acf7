#include "run_records.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <utility>

#include "base/error.hpp"

namespace convoy::scaling {
namespace {

// The lines of kind "step"; a torn one is left out.
std::vector<Json> step_lines(const std::filesystem::path& metrics) {
  std::ifstream file(metrics);
  if (!file) fail(ExitCode::io, "{} cannot be read", metrics.string());
  std::vector<Json> lines;
  for (std::string line; std::getline(file, line);) {
    Json json = Json::parse(line, nullptr, false);
    if (json.is_object() && json.value("kind", "") == "step") lines.push_back(std::move(json));
  }
  return lines;
}

// Of the steps that a line sums up.
double seconds_of(const Json& line) {
  const double speed = line.value("images_per_second", 0.0);
  return speed > 0 ? line.value("samples", 0.0) / speed : 0;
}

using Intervals = std::vector<std::pair<double, double>>;  // begin and end

// How long at least one of them lasts.
double covered(Intervals intervals) {
  std::ranges::sort(intervals);
  double total = 0, end = -1;
  for (const auto& [begin, finish] : intervals) {
    total += std::max(0.0, finish - std::max(begin, end));
    end = std::max(end, finish);
  }
  return total;
}

void add(Phases& phases, const Json& seconds, double steps) {
  phases.input += seconds.value("input", 0.0) * steps;
  phases.forward += seconds.value("forward", 0.0) * steps;
  phases.backward += seconds.value("backward", 0.0) * steps;
  phases.exposed += seconds.value("exposed", 0.0) * steps;
  phases.update += seconds.value("update", 0.0) * steps;
}

}  // namespace

Json Schedule::to_json() const {
  return {{"warm_up", warm_up}, {"steps", steps}, {"log_every", log_every}};
}

Schedule Schedule::from_json(const Json& json) {
  return {.warm_up = json.at("warm_up"), .steps = json.at("steps"), .log_every = json.at("log_every")};
}

Schedule choose_schedule(const std::filesystem::path& probe, double seconds) {
  const std::vector<Json> lines = step_lines(probe);
  if (lines.size() < 2) fail(ExitCode::bad_data, "{}: too few steps to measure by", probe.string());
  double step = seconds_of(lines[1]);
  for (std::size_t i = 2; i < lines.size(); ++i) step = std::min(step, seconds_of(lines[i]));
  const auto wanted =
      static_cast<std::int64_t>(std::ceil(std::clamp(seconds / std::max(step, 1e-6), 2.0, 1e8)));
  Schedule schedule;
  schedule.log_every = std::max<std::int64_t>(1, wanted / 10);
  // Tuned and recorded steps, full queues: a tenth of the time, and at least two steps.
  schedule.warm_up = schedule.log_every == 1 ? 2 : schedule.log_every;
  schedule.steps =
      schedule.warm_up + (wanted + schedule.log_every - 1) / schedule.log_every * schedule.log_every;
  return schedule;
}

Repeat read_repeat(const std::filesystem::path& metrics, const Schedule& schedule) {
  Repeat repeat;
  double seconds = 0, samples = 0, ranked = 0;
  std::int64_t before = 0;
  for (const Json& line : step_lines(metrics)) {
    const std::int64_t step = line.value("step", std::int64_t{0});
    const auto steps = static_cast<double>(step - std::exchange(before, step));
    if (step <= schedule.warm_up) continue;
    seconds += seconds_of(line);
    samples += line.value("samples", 0.0);
    repeat.steps += static_cast<std::int64_t>(steps);
    add(repeat.phases, line.value("seconds", Json::object()), steps);
    if (!line.contains("ranks")) continue;
    ranked += steps;
    repeat.least_work += line["ranks"].value("least", 0.0) * steps;
    repeat.most_work += line["ranks"].value("most", 0.0) * steps;
  }
  if (repeat.steps < 1 || seconds <= 0)
    fail(ExitCode::bad_data, "{}: no step after the warm-up", metrics.string());
  const auto count = static_cast<double>(repeat.steps);
  repeat.images_per_second = samples / seconds;
  repeat.step_seconds = seconds / count;
  for (double* phase : {&repeat.phases.input, &repeat.phases.forward, &repeat.phases.backward,
                        &repeat.phases.exposed, &repeat.phases.update})
    *phase /= count;
  if (ranked > 0) repeat.least_work /= ranked, repeat.most_work /= ranked;
  return repeat;
}

std::optional<double> seconds_summing(const std::filesystem::path& trace) {
  std::ifstream file(trace);
  const Json json = Json::parse(file, nullptr, false);
  if (!json.is_object() || !json.contains("traceEvents")) return std::nullopt;
  const Json about = json.value("otherData", Json::object());
  const double steps = about.value("last step", 0.0) - about.value("first step", 0.0) + 1;
  // By device where there is one: there the host's rows show when sums were enqueued.
  std::map<std::int64_t, Intervals> host, device;
  for (const Json& event : json["traceEvents"]) {
    if (event.value("ph", "") != "X") continue;
    const std::string row = event.value("cat", "");
    const bool on_device = row.starts_with("GPU all-reduce");
    if (!on_device && !row.starts_with("all-reduce")) continue;
    const double begin = event.value("ts", 0.0);
    (on_device ? device : host)[event.value("pid", std::int64_t{0})].emplace_back(
        begin, begin + event.value("dur", 0.0));
  }
  std::optional<double> least;
  for (const auto& [rank, intervals] : device.empty() ? host : device) {
    const double seconds = covered(intervals) / 1e6 / steps;
    if (!least || seconds < *least) least = seconds;
  }
  return least;
}

}  // namespace convoy::scaling
