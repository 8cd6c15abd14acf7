#include "train/step_sums.hpp"

#include <array>
#include <cmath>

namespace convoy {

void StepSumQueue::enqueued(std::int64_t step) {
  in_flight_.push_back(step);
  while (in_flight_.size() > static_cast<std::size_t>(replica_.steps_ahead())) take_result();
}

void StepSumQueue::take_all() {
  while (!in_flight_.empty()) take_result();
}

void StepSumQueue::take_result() {
  const StepResult result = replica_.take_result();
  const BatchMetrics& metrics = result.metrics;
  // With a scale of 1 the gradient itself overflows.
  const bool may_skip = overflow_ == Overflow::skips && result.loss_scale > 1;
  const bool sound =
      std::isfinite(metrics.loss) && result.update.weights_sound && (result.update.finite || may_skip);
  const bool skipped = sound && !result.update.finite;
  // A flag reports a loss that is not finite; counts stay exact in a double below 2^53.
  const std::array<double, 6> values = {sound ? metrics.loss : 0.0,
                                        static_cast<double>(metrics.top1),
                                        static_cast<double>(metrics.samples),
                                        sound ? 0.0 : 1.0,
                                        skipped ? 1.0 : 0.0,
                                        stop_requested_.load() ? 1.0 : 0.0};
  entries_.push_back({in_flight_.front(), result.loss_scale, communicator_.start_sum(values)});
  in_flight_.pop_front();
  seconds_.forward += result.seconds.forward;
  seconds_.backward += result.seconds.backward;
  seconds_.exposed += result.seconds.exposed;
  seconds_.update += result.seconds.update;
}

bool StepSumQueue::pop(StepSums& sums) {
  return in_flight_.size() + entries_.size() > delay && pop_any(sums);
}

bool StepSumQueue::pop_any(StepSums& sums) {
  if (entries_.empty()) return false;
  const std::span<const double> values = entries_.front().sum->wait();
  sums = {.step = entries_.front().step,
          .loss = values[0],
          .top1 = std::llround(values[1]),
          .samples = std::llround(values[2]),
          .finite = values[3] == 0,
          .skipped = values[4] != 0,
          .stop = values[5] != 0,
          .loss_scale = entries_.front().loss_scale};
  entries_.pop_front();
  return true;
}

}  // namespace convoy
