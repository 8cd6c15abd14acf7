// metrics.jsonl in a run's folder: one JSON object per line, read by other programs (README, "Reading the
// output"). A resumed run continues the same file: records later than the step it resumes from are removed
// first, so that the curve contains each step once.
#pragma once

#include <filesystem>
#include <string>

#include "base/log.hpp"
#include "report/line_file.hpp"
#include "train/observer.hpp"

namespace convoy {

class MetricsFile : public Observer {
 public:
  // `folder`: the run's output folder. If the file cannot be written (disk full), `log` gets a warning and
  // the run continues (LineFile).
  MetricsFile(const std::filesystem::path& folder, const Log& log);

  void on_start(const RunRecord& record) override;
  void on_step(const StepRecord& record) override;
  void on_validation(const ValidationRecord& record) override;
  void on_checkpoint(const CheckpointRecord& record) override;
  void on_event(const EventRecord& record) override;

 private:
  std::filesystem::path path_;
  const Log& log_;
  LineFile lines_;
};

// The lines of metrics.jsonl that remain when a run resumes from `step`: lines of later steps are removed,
// `step` records also if they are later than `logged_step`, and a truncated last line.
std::string kept_metrics(const std::string& text, std::int64_t step, std::int64_t logged_step);

}  // namespace convoy
