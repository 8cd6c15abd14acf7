// One run as the data of its report: everything that the page shows, as a JSON text.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "report/page/run_metrics.hpp"

namespace convoy {

// What to take from a run's folder.
struct RunSource {
  std::filesystem::path folder;
  std::string name;             // in headings and legends
  std::filesystem::path store;  // instead of the one that the run names; empty: that one
  bool pictures = true;         // predictions, thumbnails and filters: one run's page only
  std::size_t columns = 600;    // of pixels that a chart of a long run is thinned to
};

struct RunData {
  std::string json;                  // an object
  std::vector<std::string> remarks;  // what had to be left out, and why
  bool ended = false;                // done or diverged: nothing more will be written
};

// Throws ExitCode::usage if the folder is not there or holds no run (neither metrics.jsonl nor run.json with
// anything in it), ExitCode::bad_data if run.json cannot be understood, ExitCode::io.
RunData read_run_data(const RunSource& source);

}  // namespace convoy
