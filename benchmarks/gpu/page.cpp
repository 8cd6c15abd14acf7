// Makes gpu.md's tables and gpu.json of the results that the programs of this folder appended to one file.
//
//   benchmark_gpu_page summary RECORDS JSON [OLD.json]
//       writes JSON and prints the tables, with ratios to OLD.json
//   benchmark_gpu_page training RECORDS NAME RUN
//       appends the speed and the decisions of a run of `convoy train`
//   benchmark_gpu_page losses RECORDS NETWORK cpu=RUN PRECISION=RUN…
//       appends the differences from the first run's losses
//   benchmark_gpu_page check OLD.json
//       fails unless OLD.json can be compared with
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "page_tables.hpp"
#include "records.hpp"
#include "results.hpp"
#include "run_folder.hpp"

namespace convoy::gpu_benchmark {
namespace {

void summarise(const std::filesystem::path& records, const std::filesystem::path& json,
               const std::filesystem::path& old) {
  const Json results = gather_results(records);
  const Json before = old.empty() ? Json() : read_results(old);  // it may be the file that is written now
  std::ofstream file(json);
  file << results.dump(1) << '\n';
  file.flush();
  if (!file) fail(ExitCode::io, "{}: cannot be written", json.string());
  print_steps(results);
  print_trainings(results);
  print_losses(results);
  print_slowest(results);
  print_tuning(results);
  if (!before.is_null()) print_comparison(before, results);
  print_notes(results);
  print_parts(results);
}

NamedRun named_run(const std::string& argument) {
  const std::size_t equals = argument.find('=');
  if (equals == std::string::npos) fail(ExitCode::usage, "'{}': not NAME=RUN", argument);
  return {argument.substr(0, equals), argument.substr(equals + 1)};
}

void run(const std::vector<std::string>& words) {
  const std::string verb = words.empty() ? "" : words[0];
  if (verb == "summary" && (words.size() == 3 || words.size() == 4)) {
    summarise(words[1], words[2], words.size() == 4 ? words[3] : "");
  } else if (verb == "training" && words.size() == 4) {
    add_training(Records(words[1]), words[2], words[3]);
  } else if (verb == "losses" && words.size() >= 5) {
    std::vector<NamedRun> runs;
    for (std::size_t i = 4; i < words.size(); ++i) runs.push_back(named_run(words[i]));
    add_losses(Records(words[1]), words[2], named_run(words[3]), runs);
  } else if (verb == "check" && words.size() == 2) {
    read_results(words[1]);
  } else {
    fail(ExitCode::usage,
         "usage: benchmark_gpu_page summary RECORDS JSON [OLD.json]\n"
         "       benchmark_gpu_page training RECORDS NAME RUN\n"
         "       benchmark_gpu_page losses RECORDS NETWORK cpu=RUN PRECISION=RUN...\n"
         "       benchmark_gpu_page check OLD.json");
  }
}

}  // namespace
}  // namespace convoy::gpu_benchmark

int main(int argc, char** argv) {
  try {
    convoy::gpu_benchmark::run({argv + 1, argv + argc});
    return 0;
  } catch (const convoy::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.category());
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(convoy::ExitCode::bad_data);
  }
}
