// TensorBoard's files in a run's folder (events.out.tfevents.…): scalars at each step record and validation,
// conv1's filters as an image at each validation, histograms of weights and gradients on request, and the
// configuration. Each attempt of a run writes a file of its own, whose first events tell readers to forget
// what earlier files hold of later steps, so that curves contain each step once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/log.hpp"
#include "base/wall_clock.hpp"
#include "train/observer.hpp"

namespace convoy {

class TensorboardFile : public Observer {
 public:
  // `folder`: the run's output folder; the file is made when the run starts. If it cannot be written (disk
  // full), `log` gets one warning and the run continues.
  TensorboardFile(const std::filesystem::path& folder, const Log& log);
  ~TensorboardFile() override;

  void on_start(const RunRecord& record) override;
  void on_step(const StepRecord& record) override;
  void on_validation(const ValidationRecord& record) override;
  void on_weights(const WeightRecord& record) override;

 private:
  struct Writer;  // the messages stay in the implementation file

  std::filesystem::path folder_;
  const Log& log_;
  WallClock clock_;
  std::unique_ptr<Writer> writer_;
};

// The name of a file that is made `seconds` after 1970. Readers take a folder's files in the order of their
// names: a file must not come before those of earlier attempts, `others`, even if this clock is behind.
std::string event_file_name(std::int64_t seconds, int attempt, const std::vector<std::string>& others);

}  // namespace convoy
