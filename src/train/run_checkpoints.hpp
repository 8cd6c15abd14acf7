// The checkpoints of a run: rank 0 takes the replica's buffers and hands them to the writer
// thread; failures of periodic ones are warnings, of the last one the run's error. Used by the training loop.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "checkpoint/background_writer.hpp"
#include "comm/communicator.hpp"
#include "engine/training_replica.hpp"
#include "train/resolved_run.hpp"
#include "train/run_deadline.hpp"
#include "train/run_report.hpp"
#include "train/training_state.hpp"

namespace convoy {

// What to do after a failure: from which step of the folder `output` a run goes on.
std::string resume_advice(const std::filesystem::path& output);

class RunCheckpoints {
 public:
  RunCheckpoints(const ResolvedRun& run, Communicator& communicator, const TrainingReplica& replica,
                 const Log& log, RunReport& report, RunDeadline* deadline, Timeline* timeline);

  // Begins a periodic checkpoint; does nothing but on rank 0. `best`: it is the best so far.
  void save(const TrainingState& state, bool best);

  // The last or a requested checkpoint: on disk when this returns; collective. Throws ExitCode::io on every
  // rank when it cannot be written.
  void save_now(const TrainingState& state, bool best);

  // Reports checkpoints that have been finished since; with `wait`, finishes all that were begun.
  void collect(bool wait);

  // Moves the link `best` to the checkpoint of `step`.
  void mark_best(std::int64_t step);

  // Newest one written by this attempt; empty when there is none. Rank 0 alone.
  const std::filesystem::path& newest() const { return newest_; }

 private:
  void report_written(const WrittenCheckpoint& written);
  void warn(std::int64_t step, const std::string& text);
  void warn_unwritten(std::int64_t step, const std::string& reason);
  void judge_wait(std::int64_t step, double waited);
  Checkpoint snapshot(const TrainingState& state) const;

  const ResolvedRun& run_;
  Communicator& communicator_;
  const TrainingReplica& replica_;
  const Log& log_;
  RunReport& report_;
  RunDeadline* deadline_;                     // is told how long checkpoints take; may be null
  std::unique_ptr<BackgroundWriter> writer_;  // rank 0 alone
  std::filesystem::path newest_;
  std::int64_t written_step_ = -1;     // newest that is on disk
  std::int64_t begun_evaluated_ = -1;  // evaluated_step of the newest that was begun
  double copy_seconds_ = 0;            // of the newest that was begun
  Stopwatch since_save_;
  bool first_save_ = true, told_of_wait_ = false;
};

}  // namespace convoy
