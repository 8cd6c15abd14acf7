#include "plan/calibration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text_file.hpp"
#include "report/page/run_metrics.hpp"
#include "settings/train_configuration.hpp"
#include "settings/values.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::size_t most_elements = std::size_t{1} << 50;  // of a gradient: exact as a real number

[[noreturn]] void refuse_kind(const fs::path& path) {
  fail(ExitCode::usage,
       "--calibrate {}: neither the output folder of a run nor what benchmark_step --json or "
       "benchmark_allreduce --json writes",
       path.string());
}

// A finite number above zero (or from zero on) at `key`.
double number_at(const Json& json, const char* key, const fs::path& path, bool zero = false) {
  const auto found = json.find(key);
  if (found != json.end() && found->is_number()) {
    const double value = *found;
    if (std::isfinite(value) && (value > 0 || (zero && value == 0))) return value;
  }
  fail(ExitCode::bad_data, "--calibrate {}: '{}' is missing or no {} number", path.string(), key,
       zero ? "valid" : "positive");
}

// A whole number from 1 to `most` at `key`.
template <typename Whole>
Whole whole_at(const Json& json, const char* key, const fs::path& path,
               Whole most = std::numeric_limits<Whole>::max()) {
  const double value = number_at(json, key, path);
  if (value < 1 || value > static_cast<double>(most) || value != std::floor(value))
    fail(ExitCode::bad_data, "--calibrate {}: '{}' is {}, but a whole number from 1 to {} is expected",
         path.string(), key, value, most);
  return static_cast<Whole>(value);
}

std::string text_at(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

int count_at(const Json& json, const char* key, int otherwise) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number_integer() ? found->get<int>() : otherwise;
}

MeasuredStep step_of(const Json& json, const fs::path& path) {
  if (!json.contains("seconds") || !json["seconds"].is_object())
    fail(ExitCode::bad_data, "--calibrate {}: 'seconds' is missing", path.string());
  const Json& seconds = json["seconds"];
  MeasuredStep step{.source = path.string(),
                    .model = text_at(json, "model"),
                    .precision = text_at(json, "precision"),
                    .device = text_at(json, "device"),
                    .rows = whole_at<int>(json, "batch", path),
                    .threads = count_at(json, "threads", 0),
                    .cores = count_at(json, "cores", count_at(json, "threads", 0))};
  step.seconds.input = number_at(seconds, "input", path, true);
  step.seconds.forward = number_at(seconds, "forward", path);
  step.seconds.backward = number_at(seconds, "backward", path);
  step.seconds.update = number_at(seconds, "update", path, true);
  for (const Json& point : json.value("ready", Json::array()))
    step.seconds.ready.push_back({.end = whole_at(point, "end", path, most_elements),
                                  .seconds = number_at(point, "seconds", path, true)});
  const auto earlier = [](const ReadyPoint& a, const ReadyPoint& b) {
    return a.end < b.end && a.seconds <= b.seconds;
  };
  if (std::ranges::adjacent_find(step.seconds.ready, std::not_fn(earlier)) != step.seconds.ready.end())
    fail(ExitCode::bad_data, "--calibrate {}: 'ready' does not ascend", path.string());
  return step;
}

MeasuredSums sums_of(const Json& json, const fs::path& path) {
  MeasuredSums sums{.source = path.string(),
                    .transport = text_at(json, "transport"),
                    .device = text_at(json, "device"),
                    .ranks = whole_at<int>(json, "ranks", path),
                    .hosts = whole_at<int>(json, "hosts", path)};
  if (sums.ranks < 2 || sums.hosts > sums.ranks)
    fail(ExitCode::bad_data, "--calibrate {}: sums of {} ranks on {} hosts say nothing about a link",
         path.string(), sums.ranks, sums.hosts);
  for (const Json& row : json.value("rows", Json::array()))
    sums.rows.push_back({.how = text_at(row, "how"),
                         .bytes = number_at(row, "bytes", path),
                         .seconds = number_at(row, "seconds", path)});
  return sums;
}

double median(std::vector<double> values) {
  std::erase_if(values, [](double value) { return !std::isfinite(value); });
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

// "256" of run.json's configuration; `otherwise` where the run left it to its default.
std::int64_t configured(const Json& run, const char* key, std::int64_t otherwise, const fs::path& folder) {
  const std::string text = text_at(run.value("configuration", Json::object()), key);
  if (text.empty()) return otherwise;
  try {
    return parse_integer(text, 1, std::numeric_limits<int>::max());
  } catch (const Error& error) {
    fail(ExitCode::bad_data, "--calibrate {}: run.json is damaged: {}: {}", folder.string(), key,
         error.what());
  }
}

// Of the records behind the first, which still warms up. `zero`: it may be 0.
double median_seconds(const Columns& steps, Column column, const char* name, const fs::path& folder,
                      bool zero) {
  std::vector<double> values = steps[column];
  if (values.size() > 1) values.erase(values.begin());
  const double seconds = median(std::move(values));
  if (!std::isfinite(seconds) || seconds < 0 || (seconds == 0 && !zero))
    fail(ExitCode::bad_data,
         "--calibrate {}: metrics.jsonl has no steps with their seconds of {}: let the run log some steps",
         folder.string(), name);
  return seconds;
}

MeasuredStep step_of_run(const fs::path& folder) {
  const Json run = Json::parse(read_text(folder / "run.json"), nullptr, false);
  if (!run.is_object() || text_at(run, "format") != "convoy-run")
    fail(ExitCode::bad_data, "--calibrate {}: run.json is damaged", folder.string());
  const Json topology = run.value("topology", Json::object());
  if (count_at(topology, "ranks", 1) != 1)
    fail(
        ExitCode::usage,
        "--calibrate {}: a run of {} ranks contains the communication that is to be predicted; pass a run of "
        "one rank (a few dozen steps are enough)",
        folder.string(), count_at(topology, "ranks", 1));
  const RunMetrics metrics = read_metrics(folder / "metrics.jsonl");
  const Json configuration = run.value("configuration", Json::object());
  MeasuredStep step{.source = folder.string(),
                    .model = text_at(run, "model"),
                    .precision = text_at(configuration, "precision"),
                    .device = text_at(topology, "device")};
  const TrainConfiguration standard;
  step.rows = static_cast<int>(
      std::max<std::int64_t>(1, configured(run, "global-batch", standard.global_batch, folder) /
                                    configured(run, "accumulate", standard.accumulate, folder)));
  if (step.precision.empty()) step.precision = word_of(precision_words(), standard.precision);
  if (step.device.find("cuda") == std::string::npos)
    step.threads = step.cores = count_at(topology, "threads_per_rank", 0);
  const auto seconds = [&](Column column, const char* name, bool zero) {
    return median_seconds(metrics.steps, column, name, folder, zero);
  };
  step.seconds = {.input = seconds(Column::input, "input", true),
                  .forward = seconds(Column::forward, "forward", false),
                  .backward = seconds(Column::backward, "backward", false),
                  .update = seconds(Column::update, "update", true)};
  return step;
}

// What of a sum's seconds is latencies, and what bytes, in units of the link that is to be fitted.
struct Basis {
  double latencies = 0, bytes = 0;
};

Basis basis_of(const MeasuredSums& sums, SumAlgorithm algorithm, double bytes) {
  RankNetwork network{.ranks = sums.ranks, .ranks_per_node = (sums.ranks + sums.hosts - 1) / sums.hosts};
  const bool several = sums.hosts > 1;
  const double endless = std::numeric_limits<double>::infinity();
  network.node = {.latency = several ? 0.0 : 1.0, .bandwidth = endless};
  network.network = {.latency = 1, .bandwidth = endless};
  Basis basis{.latencies = sum_cost(algorithm, network, bytes).latency};
  network.node = {.latency = 0, .bandwidth = several ? endless : 1.0};
  network.network = {.latency = 0, .bandwidth = 1};
  basis.bytes = sum_cost(algorithm, network, bytes).transfer;
  return basis;
}

}  // namespace

void read_calibration(const fs::path& path, Calibration& calibration) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    if (!fs::exists(path / "run.json", error)) refuse_kind(path);
    calibration.steps.push_back(step_of_run(path));
    return;
  }
  if (path.extension() == ".jsonl") {
    calibration.steps.push_back(step_of_run(path.has_parent_path() ? path.parent_path() : "."));
    return;
  }
  const Json json = Json::parse(read_text(path), nullptr, false);
  const std::string kind = json.is_object() ? text_at(json, "benchmark") : "";
  if (kind != "step" && kind != "allreduce") refuse_kind(path);
  if (const int version = count_at(json, "version", 0); version != 1)
    fail(ExitCode::bad_data, "--calibrate {}: version {} of this file is not known to this version of Convoy",
         path.string(), version);
  if (kind == "step")
    calibration.steps.push_back(step_of(json, path));
  else
    calibration.sums.push_back(sums_of(json, path));
}

LinkFit fit_link(std::span<const MeasuredSums> sums, SumAlgorithm algorithm, const std::string& how,
                 bool several_hosts, double least_bytes) {
  struct Point {
    Basis basis;
    double seconds;
  };
  std::vector<Point> points;
  for (const MeasuredSums& measured : sums) {
    if ((measured.hosts > 1) != several_hosts) continue;
    for (const MeasuredSum& row : measured.rows)
      if (row.how == how && row.bytes >= least_bytes)
        points.push_back({basis_of(measured, algorithm, row.bytes), row.seconds});
  }
  LinkFit fit;
  fit.points = points.size();
  if (points.empty()) return fit;
  double aa = 0, ab = 0, bb = 0, a = 0, b = 0;
  for (const Point& point : points) {
    const double latencies = point.basis.latencies / point.seconds, bytes = point.basis.bytes / point.seconds;
    aa += latencies * latencies, ab += latencies * bytes, bb += bytes * bytes, a += latencies, b += bytes;
  }
  const double determinant = aa * bb - ab * ab;
  double latency = 0, per_byte = b / bb;
  if (determinant > 1e-12 * aa * bb) {
    latency = (a * bb - b * ab) / determinant;
    per_byte = (b * aa - a * ab) / determinant;
    if (latency < 0) latency = 0, per_byte = b / bb;
    if (per_byte <= 0) latency = a / aa, per_byte = 0;
  }
  fit.link = {.latency = latency,
              .bandwidth = per_byte > 0 ? 1 / per_byte : std::numeric_limits<double>::infinity()};
  std::vector<double> errors;
  errors.reserve(points.size());
  for (const Point& point : points)
    errors.push_back(
        std::fabs((point.basis.latencies * latency + point.basis.bytes * per_byte) / point.seconds - 1));
  fit.worst_error = *std::ranges::max_element(errors);
  fit.median_error = median(errors);
  return fit;
}

}  // namespace convoy
