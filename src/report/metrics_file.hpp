// metrics.jsonl of a run's folder: one JSON object a line, read by other programs (README, "Reading the
// output"). A resumed run goes on in the same file: records later than the step it resumes from are removed
// first, so that the curve has each step once.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "base/log.hpp"
#include "train/observer.hpp"

namespace convoy {

class MetricsFile : public Observer {
 public:
  // `folder`: the run's output folder; the file is opened when the run starts. A file that cannot be written
  // (disk full) is a warning in `log`, never the end of a run.
  MetricsFile(const std::filesystem::path& folder, const Log& log);

  void on_start(const RunRecord& record) override;
  void on_step(const StepRecord& record) override;
  void on_validation(const ValidationRecord& record) override;
  void on_checkpoint(const CheckpointRecord& record) override;
  void on_event(const EventRecord& record) override;

 private:
  void append(const std::string& line);

  std::filesystem::path path_;
  const Log& log_;
  std::ofstream out_;
  bool warned_ = false;
};

// The lines of metrics.jsonl that stay when a run goes on from `step`: those of later steps go, `step`
// records also when they lie after `logged_step`; so does a last line that was cut off.
std::string kept_metrics(const std::string& text, std::int64_t step, std::int64_t logged_step);

}  // namespace convoy
