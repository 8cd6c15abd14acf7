#include <fmt/format.h>

#include <algorithm>

#include "results.hpp"

namespace convoy::scaling {
namespace {

Json seconds_json(const Phases& phases) {
  return {{"input", phases.input},
          {"forward", phases.forward},
          {"backward", phases.backward},
          {"exposed", phases.exposed},
          {"update", phases.update}};
}

Json number(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json point_json(const PointResult& result) {
  const Point& point = result.point;
  Json json = {{"name", point.name},
               {"model", point.model},
               {"precision", point.precision},
               {"data", point.data},
               {"ranks", point.ranks},
               {"hosts", result.hosts},
               {"threads", result.threads},
               {"device", result.device},
               {"global_batch", point.global_batch},
               {"parameters", result.parameters}};
  if (result.measured()) {
    json["images_per_second"] = result.median.images_per_second;
    json["least"] = result.least;
    json["most"] = result.most;
    json["spread"] = result.spread();
    json["step_seconds"] = result.median.step_seconds;
    json["seconds"] = seconds_json(result.median.phases);
    json["work"] = {{"least", result.median.least_work}, {"most", result.median.most_work}};
    json["wire_bytes"] = result.wire_bytes;
    json["summing_seconds"] = number(result.summing_seconds);
    json["bus_in_step"] = number(result.bus_in_step);
    json["bus_alone"] = number(result.bus_alone);
    json["unsteady"] = result.unsteady();
  }
  json["failure"] = result.failure.empty() ? Json(nullptr) : Json(result.failure);
  json["repeats"] = Json::array();
  for (const Repeat& repeat : result.repeats)
    json["repeats"].push_back({{"images_per_second", repeat.images_per_second},
                               {"step_seconds", repeat.step_seconds},
                               {"steps", repeat.steps},
                               {"seconds", seconds_json(repeat.phases)}});
  return json;
}

// Quoted where a comma, a quotation mark or a line end is in it.
std::string cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char letter : text) {
    if (letter == '"') quoted += '"';
    quoted += letter;
  }
  return quoted + '"';
}

std::string cell(const std::optional<double>& value) {
  return value ? fmt::format("{:.6g}", *value) : std::string();
}

}  // namespace

Json results_to_json(const Results& results) {
  Json json = {{"benchmark", "scaling"},     {"version", 1},
               {"command", results.command}, {"about", results.about},
               {"machine", results.machine}, {"versions", results.versions},
               {"points", Json::array()},    {"series", Json::array()}};
  for (const PointResult& point : results.points) json["points"].push_back(point_json(point));
  for (const SeriesResult& one : results.series) {
    Json efficiency = Json::array();
    for (const std::optional<double>& value : one.efficiency) efficiency.push_back(number(value));
    json["series"].push_back({{"mode", one.series.mode},
                              {"model", one.series.model},
                              {"precision", one.series.precision},
                              {"data", one.series.data},
                              {"batch", one.series.batch},
                              {"points", one.series.points},
                              {"efficiency", efficiency}});
  }
  return json;
}

std::string results_to_csv(const Results& results) {
  std::string text =
      "mode,model,precision,data,ranks,hosts,threads,global_batch,images_per_second,least,most,spread,"
      "repeats,"
      "efficiency,step_seconds,input,forward,backward,exposed,update,wire_bytes,bus_in_step_GBps,"
      "bus_alone_GBps,unsteady,failure\n";
  for (const SeriesResult& one : results.series) {
    for (std::size_t i = 0; i < one.points.size(); ++i) {
      const PointResult& result = results.points[one.points[i]];
      const Point& point = result.point;
      text += fmt::format("{},{},{},{},{},{},{},{},", one.series.mode, cell(point.model), point.precision,
                          cell(point.data), point.ranks, result.hosts, result.threads, point.global_batch);
      if (result.measured()) {
        const Repeat& m = result.median;
        text += fmt::format(
            "{:.6g},{:.6g},{:.6g},{:.4f},{},{},{:.6g},{:.6g},{:.6g},{:.6g},{:.6g},{:.6g},{:.0f},{},{},{},",
            m.images_per_second, result.least, result.most, result.spread(), result.repeats.size(),
            cell(one.efficiency[i]), m.step_seconds, m.phases.input, m.phases.forward, m.phases.backward,
            m.phases.exposed, m.phases.update, result.wire_bytes, cell(result.bus_in_step),
            cell(result.bus_alone), result.unsteady() ? 1 : 0);
      } else {
        text += ",,,,0,,,,,,,,,,,,";
      }
      text += cell(result.failure) + "\n";
    }
  }
  return text;
}

}  // namespace convoy::scaling
