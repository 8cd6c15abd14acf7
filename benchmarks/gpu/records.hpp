// What a benchmark of this folder found, for programs: one JSON object a line, appended to the file that
// --json names. benchmark_gpu_page gathers the lines of all programs in one file (its keys are listed in
// results.hpp).
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace convoy::gpu_benchmark {

using Json = nlohmann::ordered_json;

class Records {
 public:
  // An empty path: nothing is kept.
  explicit Records(std::filesystem::path path) : path_(std::move(path)) {}

  // A measured number. `id` says what was measured and is the same in every run
  // ("step/alexnet/bf16/256/convoy"); `better` is "higher" or "lower"; `more` holds further keys. Throws
  // ExitCode::io.
  void entry(const std::string& id, double value, std::string_view unit, std::string_view better,
             Json more = Json::object()) const;

  void add(const Json& record) const;

 private:
  std::filesystem::path path_;
};

}  // namespace convoy::gpu_benchmark
