// Reports a run to its observers: gathers timings and sums into records and calls the observers on
// rank 0. Used by run_training and its loop.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "comm/communicator.hpp"
#include "engine/training_replica.hpp"
#include "inference/evaluation.hpp"
#include "train/observer.hpp"
#include "train/resolved_run.hpp"
#include "train/run_advice.hpp"
#include "train/training_state.hpp"

namespace convoy {

class RunReport {
 public:
  // `run` and `log` must outlive it. `pipelined`: the device computes a step while the host already prepares
  // later ones.
  RunReport(std::span<Observer* const> observers, Communicator& communicator, const Log& log,
            const ResolvedRun& run, int attempt, std::int64_t first_step, bool pipelined);

  void start(const RunRecord& record);

  // Where the time until the first step went.
  void startup(const StartupPhases& phases);

  // How far staging has come.
  void stage(const StageRecord& record);

  // All choices of algorithms so far, when a program has been compiled; nothing where there are no new ones.
  void tuning(std::span<const Decision> decisions);

  // One more step of `samples` images over all ranks: this rank's seconds for all of it, and of those for
  // getting its input.
  void add_step(double seconds, double input_seconds, std::int64_t samples);

  // Time of steps that were counted already: waiting for the device to end them.
  void add_wait(double seconds) { seconds_.total += seconds; }

  // Where steps' time went, as the replica measured it.
  void add_phases(const PhaseSeconds& seconds);

  // A step record of state.window, and what can be said about the ranks' times; collective (they are
  // gathered).
  void step(const TrainingState& state, double rate);

  // Reports the current window, with this rank's times; at most a few times a second.
  void progress(const TrainingState& state, double rate);

  void moment(Moment moment, std::int64_t step);
  void validation(std::int64_t step, const EvaluationResult& result);
  // The replica's weights, on rank 0; with `gradient_scale`, also its gradients, divided by that. Waits for
  // the device.
  void weights(std::int64_t step, const TrainingReplica& replica, std::optional<double> gradient_scale);
  void timeline(const TimelineRecord& record);
  void predictions(const PredictionsRecord& record);
  void checkpoint(const CheckpointRecord& record);
  void event(std::int64_t step, std::string what, std::string text);

 private:
  StepRecord record_of(const TrainingState& state, double rate, double window_seconds) const;
  void advise(std::int64_t step, std::span<const Advice> advice);
  template <typename Record>
  void notify(void (Observer::*method)(const Record&), const Record& record) const;

  std::span<Observer* const> observers_;
  RunRecord started_;
  Communicator& communicator_;
  const Log& log_;
  const ResolvedRun& run_;
  std::optional<RunAdvisor> advisor_;
  int attempt_;
  std::int64_t first_step_;
  bool pipelined_;
  Stopwatch since_start_, since_progress_;
  struct {
    double total = 0, input = 0;
    PhaseSeconds phases;
  } seconds_;  // since the last step record
  std::int64_t timed_steps_ = 0, timed_samples_ = 0;
};

}  // namespace convoy
