// What `convoy train` left in its output folder: steps of metrics.jsonl, decisions of run.json. For
// benchmark_gpu_page alone.
#pragma once

#include <filesystem>
#include <vector>

#include "records.hpp"

namespace convoy::gpu_benchmark {

// The objects in a file of JSON lines; a torn line is left out. Throws ExitCode::io.
std::vector<Json> read_lines(const std::filesystem::path& path);
// Those of kind "step" in a run's metrics.jsonl.
std::vector<Json> read_steps(const std::filesystem::path& run);

// The array "tuning" of run.json; empty where there is none.
Json read_tuning(const std::filesystem::path& run);

// Adds an entry "train/NAME" with the speed of the last lines of a run, and its decisions.
void add_training(const Records& records, const std::string& name, const std::filesystem::path& run);

struct NamedRun {
  std::string name;  // "bf16"
  std::filesystem::path folder;
};

// Adds an entry "loss/NETWORK/NAME" for each run: its largest relative difference from the losses of
// `reference` in the first three steps. Later steps amplify differences.
void add_losses(const Records& records, const std::string& network, const NamedRun& reference,
                const std::vector<NamedRun>& runs);

}  // namespace convoy::gpu_benchmark
