#include "train/step_sums.hpp"

#include <array>
#include <cmath>

namespace convoy {

void StepSumQueue::push(std::int64_t step, const BatchMetrics& metrics, bool finite, bool stop) {
  const bool sound = finite && std::isfinite(metrics.loss);
  // A loss that is not finite is told by its flag; counts stay exact in a double below 2^53.
  const std::array<double, 5> values = {sound ? metrics.loss : 0.0, static_cast<double>(metrics.top1),
                                        static_cast<double>(metrics.samples), sound ? 0.0 : 1.0,
                                        stop ? 1.0 : 0.0};
  entries_.push_back({step, communicator_.start_sum(values)});
}

bool StepSumQueue::pop(std::size_t under_way, StepSums& sums) {
  if (entries_.size() <= under_way) return false;
  const std::span<const double> values = entries_.front().sum->wait();
  sums = {.step = entries_.front().step,
          .loss = values[0],
          .top1 = std::llround(values[1]),
          .samples = std::llround(values[2]),
          .finite = values[3] == 0,
          .stop = values[4] != 0};
  entries_.pop_front();
  return true;
}

}  // namespace convoy
