// What a training run leaves behind, read for a point: the lines of metrics.jsonl, the trace of its probe.
// For benchmark_scaling_page.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "plan.hpp"

namespace convoy::scaling {

// Seconds of a step by phase, each on the rank that takes longest in it.
struct Phases {
  double input = 0, forward = 0, backward = 0, exposed = 0, update = 0;
  double sum() const { return input + forward + backward + exposed + update; }
};

// How long a point runs: chosen after a probe of a few steps, the same for each repeat.
struct Schedule {
  std::int64_t warm_up = 0, steps = 0;  // steps include the warm-up
  std::int64_t log_every = 1;
  Json to_json() const;
  static Schedule from_json(const Json& json);
};

// One repeat of a point, its warm-up left out.
struct Repeat {
  double images_per_second = 0, step_seconds = 0;
  Phases phases;
  double least_work = 0,
         most_work = 0;  // seconds a step of the fastest and the slowest rank, without waiting
  std::int64_t steps = 0;
};

// For about `seconds` of steps after the warm-up, about ten lines of metrics.jsonl. `probe`: the
// metrics.jsonl of a run of some steps with a line each; the first, which prepares what others reuse, does
// not count. Throws ExitCode::bad_data where there are fewer than two.
Schedule choose_schedule(const std::filesystem::path& probe, double seconds);

// Throws ExitCode::bad_data where no step after the warm-up was logged.
Repeat read_repeat(const std::filesystem::path& metrics, const Schedule& schedule);

// Seconds of a step in which at least one bucket was under way, on the rank where that took least: the others
// also wait for slower ranks. Empty where the trace has no sums.
std::optional<double> seconds_summing(const std::filesystem::path& trace);

}  // namespace convoy::scaling
