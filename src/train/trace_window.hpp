// Records some steps of an attempt on every rank's timeline (--trace, --trace-steps), brings the ranks'
// clocks together and hands the result to the observers. Used by the training loop.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/log.hpp"
#include "base/timeline.hpp"
#include "comm/communicator.hpp"
#include "engine/training_replica.hpp"
#include "settings/train_configuration.hpp"
#include "train/run_report.hpp"

namespace convoy {

class TraceWindow {
 public:
  // `timeline`: null where no trace is wanted; the window then does nothing. `first_step`: completed updates
  // at the start of the attempt.
  TraceWindow(Timeline* timeline, const StepRange& steps, std::int64_t first_step, Communicator& communicator,
              TrainingReplica& replica, RunReport& report);

  // The main thread's row; null where no trace is wanted.
  TimelineRow* row() const { return row_; }

  // The update that completes `step` comes next: begins or ends the recording; collective at the end.
  void before(std::int64_t step);

  // Whether `step` is the last one recorded: what is in flight then should be waited for.
  bool ends_with(std::int64_t step) const { return row_ != nullptr && step == last_; }

  // The run ends: so does the recording, if it has not ended; collective.
  void finish(const Log& log);

 private:
  void end();

  Timeline* timeline_;
  TimelineRow* row_;
  std::int64_t first_, last_;  // updates that are recorded
  Communicator& communicator_;
  TrainingReplica& replica_;
  RunReport& report_;
  bool started_ = false, ended_ = false;
  std::int64_t newest_ = 0;  // update that has begun last
};

// Makes the folder of a trace's file. Throws ExitCode::usage or io where no file can be written there: better
// now than after the traced steps.
void prepare_trace_file(const std::filesystem::path& path);

// What must be added to this rank's timeline_now() to get rank 0's; collective. Measured when all ranks leave
// barriers: some microseconds on an idle network. Ranks of one host share a clock.
double clock_offset(Communicator& communicator);

}  // namespace convoy
