// The deadline of a run (--deadline): a thread of rank 0 that asks for a stop, as a signal does, while there
// is time for a checkpoint. All ranks then stop at the same step (train/step_sums.hpp). Made by the trainer,
// told of times by the training loop.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/log.hpp"
#include "settings/train_configuration.hpp"

namespace convoy {

class RunDeadline {
 public:
  // `running_seconds`: how long ago the program started. `stop_requested` is set when it is time. Throws
  // ExitCode::usage for a time that is past.
  RunDeadline(const Deadline& deadline, double running_seconds, std::uint64_t checkpoint_bytes,
              const Log& log, std::atomic<bool>& stop_requested);
  ~RunDeadline();
  RunDeadline(const RunDeadline&) = delete;
  RunDeadline& operator=(const RunDeadline&) = delete;

  void step_took(double seconds);
  void checkpoint_took(double seconds);

  // "42 s before the end of Slurm job 12 (15:30:00)" once it has asked for the stop; empty before.
  std::string reason() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace convoy
