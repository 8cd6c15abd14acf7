#include "plan.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "base/error.hpp"
#include "base/host_name.hpp"
#include "device/cpu/cpu_facts.hpp"
#include "model/networks.hpp"

namespace convoy::scaling {
namespace {

std::string label_of(const std::string& data) {
  if (data == "drawn") return data;
  std::filesystem::path path(data);
  if (!path.has_filename()) path = path.parent_path();
  std::string label = path.filename().string();
  std::ranges::replace_if(
      label, [](unsigned char letter) { return std::isalnum(letter) == 0 && letter != '.'; }, '_');
  return label;
}

// The name of the point with these options; adds it to the plan unless it is there.
std::string add_point(Plan& plan, Point point, std::size_t store) {
  if (point.global_batch < point.ranks)
    fail(ExitCode::usage, "a batch of {} over {} ranks gives some of them no image", point.global_batch,
         point.ranks);
  // Stores in folders of the same name are told apart by their number; no label has a hyphen.
  const std::string label = label_of(point.data);
  const bool numbered = store > 1 || (store == 1 && label == label_of("drawn"));
  point.name = fmt::format("{}-{}-{}{}-x{}-g{}", point.model, point.precision, label,
                           numbered ? fmt::format("-{}", store) : "", point.ranks, point.global_batch);
  const std::string name = point.name;
  if (std::ranges::find(plan.points, name, &Point::name) == plan.points.end())
    plan.points.push_back(std::move(point));
  return name;
}

// The first value of a line "key : value" in a file of /proc; empty where there is none.
std::string proc_value(const char* file, const std::string& key) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    if (!line.starts_with(key)) continue;
    const auto colon = line.find(':');
    const auto begin = line.find_first_not_of(" \t", colon + 1);
    if (colon != std::string::npos && begin != std::string::npos) return line.substr(begin);
  }
  return {};
}

}  // namespace

Plan make_plan(const PlanOptions& options) {
  Plan plan;
  std::vector<std::string> data = {"drawn"};
  data.insert(data.end(), options.stores.begin(), options.stores.end());
  const int most = *std::ranges::max_element(options.ranks);
  const auto add_series = [&](const Series& frame, std::size_t store, bool weak) {
    Series series = frame;
    for (const int ranks : options.ranks)
      series.points.push_back(add_point(plan,
                                        {.name = {},
                                         .model = frame.model,
                                         .precision = frame.precision,
                                         .data = frame.data,
                                         .ranks = ranks,
                                         .global_batch = weak ? frame.batch * ranks : frame.batch},
                                        store));
    plan.series.push_back(std::move(series));
  };
  for (const std::string& model : options.models) {
    make_network(model);  // an unknown one is refused here
    for (std::size_t store = 0; store < data.size(); ++store)
      for (const std::string& precision : options.precisions)
        for (const std::int64_t batch : options.batches) {
          Series frame{
              .mode = "weak", .model = model, .precision = precision, .data = data[store], .batch = batch};
          if (options.weak) add_series(frame, store, true);
          if (!options.strong) continue;
          frame.mode = "strong";
          frame.batch = options.global_batch > 0 ? options.global_batch : batch * most;
          const bool there = std::ranges::any_of(plan.series, [&](const Series& other) {
            return other.mode == frame.mode && other.model == model && other.precision == precision &&
                   other.data == frame.data && other.batch == frame.batch;
          });
          if (!there) add_series(frame, store, false);
        }
  }
  return plan;
}

DrawnStore drawn_store(const Plan& plan, const std::string& model) {
  constexpr std::int64_t least = 4096, most = 65536;
  const NetSpec spec = make_network(model);
  const int side = spec.stored_side, classes = class_count(spec);
  std::int64_t multiple = 1, largest = 1;
  for (const Point& point : plan.points) {
    const NetSpec other = make_network(point.model);
    if (point.data != "drawn" || other.stored_side != side || class_count(other) != classes) continue;
    largest = std::max(largest, point.global_batch);
    multiple = std::lcm(multiple, point.global_batch);
    if (multiple > most) multiple = most + 1;
  }
  std::int64_t images = (least + multiple - 1) / multiple * multiple;
  if (multiple > most) images = 32 * largest;  // a smaller step is one of 32
  return {
      .name = fmt::format("store-{}x{}", side, classes), .side = side, .classes = classes, .images = images};
}

Json plan_to_json(const Plan& plan) {
  Json points = Json::array(), series = Json::array();
  for (const Point& point : plan.points)
    points.push_back({{"name", point.name},
                      {"model", point.model},
                      {"precision", point.precision},
                      {"data", point.data},
                      {"ranks", point.ranks},
                      {"global_batch", point.global_batch}});
  for (const Series& one : plan.series)
    series.push_back({{"mode", one.mode},
                      {"model", one.model},
                      {"precision", one.precision},
                      {"data", one.data},
                      {"batch", one.batch},
                      {"points", one.points}});
  return {{"points", points}, {"series", series}};
}

Plan plan_from_json(const Json& json) {
  Plan plan;
  for (const Json& point : json.at("points"))
    plan.points.push_back({.name = point.at("name"),
                           .model = point.at("model"),
                           .precision = point.at("precision"),
                           .data = point.at("data"),
                           .ranks = point.at("ranks"),
                           .global_batch = point.at("global_batch")});
  for (const Json& one : json.at("series"))
    plan.series.push_back({.mode = one.at("mode"),
                           .model = one.at("model"),
                           .precision = one.at("precision"),
                           .data = one.at("data"),
                           .batch = one.at("batch"),
                           .points = one.at("points").get<std::vector<std::string>>()});
  return plan;
}

Json machine_facts() {
  Json machine = {{"host", host_name()}};
  const std::string cpu = proc_value("/proc/cpuinfo", "model name");
  if (!cpu.empty()) machine["cpu"] = cpu;
  machine["instructions"] = vector_instruction_names();
  machine["cores"] = concurrent_threads();
  machine["memory_bytes"] =
      static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::int64_t>(sysconf(_SC_PAGESIZE));
  utsname kernel{};
  if (uname(&kernel) == 0) machine["kernel"] = fmt::format("{} {}", kernel.sysname, kernel.release);
  return machine;
}

}  // namespace convoy::scaling
