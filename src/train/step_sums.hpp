// What becomes of a step after it was enqueued: its result comes back from the device while later steps
// already run, and its loss, counts and flags are then summed over the ranks by a small all-reduce that also
// overlaps with them. A step's sums are acted upon `delay` steps later, or when all are drained, so that
// every rank acts at the same step without waiting for the others, or for its device, in between. Used by
// the training loop alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include "comm/communicator.hpp"
#include "engine/training_replica.hpp"

namespace convoy {

// Sums over the ranks.
struct StepSums {
  std::int64_t step = 0;  // completed updates after it
  double loss = 0;
  std::int64_t top1 = 0, samples = 0;
  bool finite = true;     // false: training has diverged
  bool skipped = false;   // fp16: a gradient overflowed, the update was left out and the loss scale lowered
  bool stop = false;      // some rank was asked to stop
  double loss_scale = 1;  // that the step was computed with; the same on every rank
};

// Whether a gradient that is not finite means that the loss scale was too large (fp16) or that training has
// diverged.
enum class Overflow { skips, diverges };

class StepSumQueue {
 public:
  // `stop_requested` is looked at whenever a result is taken.
  StepSumQueue(Communicator& communicator, TrainingReplica& replica, Overflow overflow,
               const std::atomic<bool>& stop_requested)
      : communicator_(communicator),
        replica_(replica),
        overflow_(overflow),
        stop_requested_(stop_requested) {}

  // The update that completes `step` has been enqueued. Takes the results of as many steps as the replica
  // may not be behind, and starts their sums.
  void enqueued(std::int64_t step);

  // Takes the results that are still outstanding; waits for the device.
  void take_all();

  // The oldest step's sums, once they are `delay` steps old; false when there are none. Waits for them.
  bool pop(StepSums& sums);
  // The same whatever their age, of steps whose results were taken.
  bool pop_any(StepSums& sums);

  // Where the time went of the steps whose results were taken since the last call.
  PhaseSeconds take_seconds() { return std::exchange(seconds_, {}); }

  static constexpr std::size_t delay = 3;

 private:
  struct Entry {
    std::int64_t step;
    double loss_scale;
    std::unique_ptr<PendingSum> sum;
  };
  void take_result();

  Communicator& communicator_;
  TrainingReplica& replica_;
  Overflow overflow_;
  const std::atomic<bool>& stop_requested_;
  std::deque<std::int64_t> in_flight_;  // steps whose results are outstanding
  std::deque<Entry> entries_;           // steps whose sums are
  PhaseSeconds seconds_;
};

}  // namespace convoy
