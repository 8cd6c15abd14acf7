// What a scaling benchmark found: gathered from its folder, and written as JSON and CSV. For
// benchmark_scaling_page.
//
// The folder, as benchmarks/scaling/run writes it: plan.json (plan.hpp), command (text), about.json {begun,
// commit, seconds, repeats}, allreduce/xR.json of benchmark_allreduce, and for each point points/NAME/ with
// schedule.json, run.json and trace.json of its probe, repeat-N.jsonl and, where it failed, failure (text).
//
// scaling.json is one object; other programs read it, so these keys stay (more may be added):
//   benchmark "scaling", version 1, command, about, machine (plan.hpp), versions {…} of convoy and libraries
//   points    [{name, model, precision, data, ranks, hosts, threads, device, global_batch, parameters,
//             images_per_second, least, most, spread, step_seconds, seconds {input, forward, backward,
//             exposed, update}, work {least, most}, wire_bytes, summing_seconds, bus_in_step, bus_alone,
//             unsteady, failure, repeats: [{images_per_second, step_seconds, steps, seconds}]}]
//   series    [{mode, model, precision, data, batch, points: [name], efficiency: [number or null]}]
// Medians over the repeats; spread is (most − least) ÷ median. Speeds of the bus are in GB/s.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "run_records.hpp"

namespace convoy::scaling {

// Repeats that differ by more than this are marked.
inline constexpr double steady_spread = 0.1;

struct PointResult {
  Point point;
  std::string failure;  // why there is no repeat, or why one is missing; empty: all is well
  std::vector<Repeat> repeats;
  Repeat median;
  double least = 0, most = 0;  // images/s
  int hosts = 1, threads = 0, ranks_of_a_host = 1;
  std::string device;
  double parameters = 0;
  double wire_bytes = 0;  // that a rank must send and receive in a step, each, at the least
  std::optional<double> summing_seconds, bus_in_step, bus_alone;

  bool measured() const { return !repeats.empty(); }
  double spread() const {
    return median.images_per_second > 0 ? (most - least) / median.images_per_second : 0;
  }
  bool unsteady() const { return spread() > steady_spread; }
};

struct SeriesResult {
  Series series;
  std::vector<std::size_t> points;                // indices into Results::points
  std::vector<std::optional<double>> efficiency;  // of each, against the smallest that was measured
};

struct Results {
  Json about, machine, versions;
  std::string command;
  std::vector<PointResult> points;
  std::vector<SeriesResult> series;

  std::vector<std::string> models() const;  // in the plan's order
};

// Throws ExitCode::io or bad_data where the folder has no plan. A point that cannot be read has failed.
Results gather_results(const std::filesystem::path& folder);

// "weak, fp32, 32 a rank", "strong, bf16, 256 in all, imagenet".
std::string label_of(const Series& series);

Json results_to_json(const Results& results);
std::string results_to_csv(const Results& results);

}  // namespace convoy::scaling
