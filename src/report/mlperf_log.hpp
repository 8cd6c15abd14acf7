// mllog.txt in a run's folder: the run's phases and settings as lines ":::MLLOG {…}" with the keys of
// MLPerf's training logs, for tools that read those. Each attempt appends its lines. What a submission states
// about itself (its organisation, that caches were cleared) is the submitter's to add.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/log.hpp"
#include "base/wall_clock.hpp"
#include "report/line_file.hpp"
#include "settings/train_configuration.hpp"
#include "train/observer.hpp"

namespace convoy {

class MlperfLog : public Observer {
 public:
  // The run's initialisation begins now. If the file cannot be written (disk full), `log` gets a warning and
  // the run continues (LineFile).
  MlperfLog(const TrainConfiguration& configuration, const Log& log);
  ~MlperfLog() override;  // a run that an error ends is "aborted"

  void on_start(const RunRecord& record) override;
  void on_moment(const MomentRecord& record) override;
  void on_validation(const ValidationRecord& record) override;
  void on_event(const EventRecord& record) override;

 private:
  struct Line;
  nlohmann::ordered_json place_of(std::int64_t step) const;
  void write(const Line& line);
  void write_settings(const RunRecord& record);
  void begin_block(std::int64_t step);
  void end_block(std::int64_t step);
  void end_run(std::int64_t step, bool success);

  TrainConfiguration configuration_;
  WallClock clock_;
  double created_ = clock_.seconds();
  LineFile lines_;
  std::int64_t steps_per_epoch_ = 1, last_step_ = 0, images_ = 0;
  std::int64_t step_ = 0;   // newest that is known
  std::int64_t block_ = 0;  // step at which the block began
  bool running_ = false, in_block_ = false;
};

}  // namespace convoy
