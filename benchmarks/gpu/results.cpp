#include "results.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <string>

#include "base/error.hpp"
#include "run_folder.hpp"

namespace convoy::gpu_benchmark {

Json gather_results(const std::filesystem::path& records) {
  Json results = {{"format", 1},
                  {"run", Json::object()},
                  {"device", Json::object()},
                  {"parts", Json::array()},
                  {"entries", Json::array()},
                  {"tuning", Json::array()},
                  {"notes", Json::array()}};
  std::map<std::string, std::size_t> places;
  for (Json record : read_lines(records)) {
    const std::string kind = record.value("kind", "");
    record.erase("kind");
    if (kind == "entry") {
      const auto [place, is_new] = places.emplace(record.at("id"), results["entries"].size());
      if (is_new) {
        results["entries"].push_back(record);
      } else {
        results["entries"][place->second] = record;
      }
    } else if (kind == "run" || kind == "device") {
      results[kind] = record;
    } else if (kind == "part") {
      results["parts"].push_back(record);
    } else if (kind == "tuning") {
      results["tuning"].push_back(record);
    } else if (kind == "note") {
      results["notes"].push_back(record.value("text", ""));
    }
  }
  return results;
}

Json read_results(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) fail(ExitCode::io, "{}: cannot be read", path.string());
  Json results = Json::parse(file, nullptr, false);
  const auto holds_entries = [&] {
    const Json entries = results.value("entries", Json());
    return entries.is_array() &&
           std::ranges::all_of(entries, [](const Json& entry) { return entry.is_object(); });
  };
  if (!results.is_object() || results.value("format", Json()) != 1 || !holds_entries())
    fail(ExitCode::bad_data, "{}: not a gpu.json of benchmarks/gpu/run (format 1)", path.string());
  for (const char* key : {"run", "device"})
    if (!results.contains(key) || !results[key].is_object()) results[key] = Json::object();
  return results;
}

}  // namespace convoy::gpu_benchmark
