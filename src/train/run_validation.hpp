// A run's validations: evaluates the replica on the validation split, reports figures and predictions, and
// knows which validation was the best. Used by the training loop.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "base/log.hpp"
#include "base/timeline.hpp"
#include "comm/watchdog.hpp"
#include "inference/evaluation.hpp"
#include "train/resolved_run.hpp"
#include "train/run_report.hpp"
#include "train/training_state.hpp"

namespace convoy {

// What validations work with; all of it outlives them.
struct ValidationParts {
  const ResolvedRun& run;
  Communicator& communicator;
  const Log& log;
  TrainingReplica& replica;
  RunReport& report;
  Watchdog& watchdog;
  ShardCopies* copies;  // of the validation split's shards; null: none
  const std::atomic<bool>& stop_requested;
};

class RunValidation {
 public:
  explicit RunValidation(const ValidationParts& parts) : parts_(parts) {}

  // Whether the store has images to validate on.
  bool possible() const { return parts_.run.store.val && parts_.run.store.val->images > 0; }

  // Validates after state.step and notes it in `state`; collective. `row`: where a trace shows it, or null.
  // False if it was given up for a request to stop: a resumed run begins with it.
  bool run(TrainingState& state, TimelineRow* row);

  // The top-1 of the last validation; 0 before the first.
  double top1() const { return top1_; }

  // Whether the weights at state.step are the best that were validated; if so, notes that they are saved.
  bool take_best(TrainingState& state) const;

 private:
  void prepare();

  ValidationParts parts_;
  std::unique_ptr<Evaluator> evaluator_;
  double top1_ = 0;
};

}  // namespace convoy
