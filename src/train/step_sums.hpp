// The small all-reduce of every step: loss, counts and flags are summed over the ranks while later steps
// already run. A step's sums are acted upon `delay` steps later, or when all are drained, so that every rank
// acts at the same step without waiting for the others in between. Used by the trainer alone.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "comm/communicator.hpp"
#include "engine/replica.hpp"

namespace convoy {

// Sums over the ranks.
struct StepSums {
  std::int64_t step = 0;  // completed updates after it
  double loss = 0;
  std::int64_t top1 = 0, samples = 0;
  bool finite = true;
  bool stop = false;  // some rank was asked to stop
};

class StepSumQueue {
 public:
  explicit StepSumQueue(Communicator& communicator) : communicator_(communicator) {}

  // Starts the sum of a step's local figures.
  void push(std::int64_t step, const BatchMetrics& metrics, bool finite, bool stop);

  // The oldest sums once more than `under_way` are there (0: any); false when there are none. Waits for them.
  bool pop(std::size_t under_way, StepSums& sums);

  static constexpr std::size_t delay = 3;

 private:
  struct Entry {
    std::int64_t step;
    std::unique_ptr<PendingSum> sum;
  };
  Communicator& communicator_;
  std::deque<Entry> entries_;
};

}  // namespace convoy
