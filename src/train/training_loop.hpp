// The loop over steps and what happens between them. One object for the length of a run, on every rank; all
// ranks make the same decisions at the same steps, since they decide by sums over all ranks. Used by
// run_training alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/log.hpp"
#include "base/startup_clock.hpp"
#include "base/unwinding.hpp"
#include "comm/collective.hpp"
#include "comm/watchdog.hpp"
#include "data/loader.hpp"
#include "train/gradient_reducer.hpp"
#include "train/resolved_run.hpp"
#include "train/run_checkpoints.hpp"
#include "train/run_deadline.hpp"
#include "train/run_report.hpp"
#include "train/run_stage.hpp"
#include "train/run_validation.hpp"
#include "train/schedule.hpp"
#include "train/step_sums.hpp"
#include "train/trace_window.hpp"
#include "train/training_result.hpp"
#include "train/training_state.hpp"

namespace convoy {

// What a loop works with; all of it outlives the loop.
struct TrainingParts {
  const ResolvedRun& run;
  Communicator& communicator;
  const Log& log;
  TrainingReplica& replica;
  Collective* collective;  // null where no step is left to do
  RunReport& report;
  Watchdog& watchdog;
  RunStage* stage;        // of --stage; null: shards are read from the store alone
  Timeline* timeline;     // of --trace; null: no trace
  RunDeadline* deadline;  // on rank 0 of a run that has one; otherwise null
  StartupClock& startup;
  const std::atomic<bool>& stop_requested;
};

class TrainingLoop {
 public:
  TrainingLoop(const TrainingParts& parts, const TrainingState& state);
  // While an error unwinds: abandons sums that other ranks may never join, so that the device stops using the
  // loader's memory before it goes.
  ~TrainingLoop();
  TrainingLoop(const TrainingLoop&) = delete;
  TrainingLoop& operator=(const TrainingLoop&) = delete;

  // Trains to the last step, a stop or divergence.
  TrainingResult run();

 private:
  // What is due after a step; a function of the step alone.
  struct Due {
    bool log = false, evaluation = false, checkpoint = false, histograms = false, trace_end = false,
         epoch_end = false, last = false;
    bool any() const {
      return log || evaluation || checkpoint || histograms || trace_end || epoch_end || last;
    }
  };
  Due due_at(std::int64_t step) const;

  TrainingResult train();
  void step();
  double stage_input(std::int64_t samples);
  void stage_update();
  const BatchView& next_batch();
  template <typename Work>
  void in_phase(Phase phase, Work&& work);
  void enqueue_passes();
  bool on_gpu() const { return parts_.run.device.kind == DeviceKind::cuda; }
  std::optional<TrainingResult> after_step();
  void settle(bool all);
  void take(const StepSums& sums);
  void end_startup_phase(const char* name);
  void report_ready();
  void report_stage(bool ends);
  void report_overflow(const StepSums& sums);
  void report_step(bool last);
  bool validate();
  SchedulePoint schedule_point(std::int64_t step) const;
  double rate_of(std::int64_t step) const;
  void report_rate_changes(std::int64_t step);
  void compare_replicas();
  bool weights_broke();
  void note_loss_scale();
  TrainingResult stop();
  TrainingResult diverge();
  TrainingResult finish();

  TrainingParts parts_;
  TrainingState state_;
  RunCheckpoints checkpoints_;
  TraceWindow trace_;
  RunValidation validation_;
  StepSumQueue sums_;
  std::unique_ptr<Program> program_;
  std::unique_ptr<Loader> loader_;
  std::unique_ptr<GradientReducer> reducer_;
  double loss_scale_ = 1;           // of the newest step whose sums were taken
  std::int64_t diverged_step_ = 0;  // first step with a non-finite loss, gradient or weight; 0: none
  bool stop_agreed_ = false, ready_ = false;
  UnwindDetector unwind_;
};

}  // namespace convoy
