#include "report/page/run_state.hpp"

#include <chrono>
#include <optional>

#include "base/folder_lock.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;

// Where no lock says whether a run is alive: a run that wrote more recently than this is.
constexpr std::chrono::minutes silence{10};

bool is_alive(const fs::path& folder) {
  if (const std::optional<bool> locked = folder_is_locked(folder)) return *locked;
  std::error_code error;
  const auto written = fs::last_write_time(folder / "metrics.jsonl", error);
  return !error && fs::file_time_type::clock::now() - written < silence;
}

}  // namespace

RunStanding standing_of(const RunMetrics& metrics, const fs::path& folder) {
  const Words<RunState> ends = {
      {"done", RunState::finished}, {"stop", RunState::stopped}, {"diverged", RunState::diverged}};
  RunStanding standing;
  for (const TextRecord& event : metrics.events) {
    if (event.what == "start" || event.what == "resume") standing = {};
    if (const std::optional<RunState> end = value_of(ends, event.what))
      standing = {.state = *end, .text = event.text};
  }
  if (standing.state == RunState::interrupted && is_alive(folder)) standing.state = RunState::running;
  return standing;
}

}  // namespace convoy
