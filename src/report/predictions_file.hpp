// What the network answered for each validation image, in a run's folder: predictions-latest.csv of the last
// validation and predictions-best.csv of the one with the best top-1, complete or not at all (README,
// "Reading the output"). `convoy report` reads them.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "train/observer.hpp"

namespace convoy {

class PredictionsFile : public Observer {
 public:
  // If a file cannot be written (disk full), `log` gets a warning and the run continues.
  PredictionsFile(std::filesystem::path folder, const Log& log);
  void on_start(const RunRecord& record) override;  // removes files of steps that this start repeats
  void on_predictions(const PredictionsRecord& record) override;

 private:
  std::filesystem::path folder_;
  const Log& log_;
  bool warned_ = false;
};

struct ValidationPredictions {
  std::int64_t step = 0;
  std::vector<SamplePrediction> samples;
};

std::string predictions_to_text(std::int64_t step, std::span<const SamplePrediction> samples);

// Throws ExitCode::bad_data, naming `source` and the line, for a text that is not of this form.
ValidationPredictions parse_predictions(const std::string& text, const std::string& source);

// The best validation's predictions, or the last one's; no samples where the run's folder has neither.
// Throws like parse_predictions, and ExitCode::io.
ValidationPredictions read_predictions(const std::filesystem::path& folder);

}  // namespace convoy
