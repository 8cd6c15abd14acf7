// How a run stands, judged by its last events and by the lock of its folder. For the report.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/words.hpp"
#include "report/page/run_metrics.hpp"

namespace convoy {

enum class RunState { running, finished, stopped, diverged, interrupted };

inline Words<RunState> run_state_words() {
  return {{"running", RunState::running},
          {"finished", RunState::finished},
          {"stopped", RunState::stopped},
          {"diverged", RunState::diverged},
          {"interrupted", RunState::interrupted}};
}

struct RunStanding {
  RunState state = RunState::interrupted;
  std::string text;  // of the event that ended it; empty otherwise
};

// `interrupted`: begun, not ended, and no process writes the folder any more (a crash, a lost machine).
RunStanding standing_of(const RunMetrics& metrics, const std::filesystem::path& folder);

}  // namespace convoy
