// Folders as runs leave them, written by tests of the report.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace convoy::test {

// A run of `steps` step records (every 10 steps, 100 steps an epoch), a validation and a checkpoint each
// epoch, a resume in the middle, and an end. Values differ from record to record in all digits.
struct SampleRun {
  std::int64_t steps = 40;
  double rate = 0.01;
  std::string model = "alexnet-mini";
  std::string end = "done";  // the kind of the last event; empty: none
};

// The text of metrics.jsonl, and that of run.json.
std::string sample_metrics(const SampleRun& run);
std::string sample_run_file(const SampleRun& run);

void write_run(const std::filesystem::path& folder, const SampleRun& run);
void write_text(const std::filesystem::path& path, const std::string& text);

}  // namespace convoy::test
