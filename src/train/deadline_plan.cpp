#include "train/deadline_plan.hpp"

#include <algorithm>

namespace convoy {

Pace::Pace(std::uint64_t checkpoint_bytes) {
  constexpr double slow_disk = 50e6;  // bytes a second
  checkpoint_ = static_cast<double>(checkpoint_bytes) / slow_disk;
}

void Pace::add_step(double seconds) {
  constexpr double kept = 0.98;
  step_ = steps_++ < 2 ? seconds : std::max(seconds, kept * step_);
}

void Pace::add_checkpoint(double seconds) {
  constexpr double kept = 0.8;
  checkpoint_ = measured_ ? std::max(seconds, kept * checkpoint_) : seconds;
  measured_ = true;
}

double seconds_needed(const Pace& pace, double allotted) {
  // All ranks act upon a request three steps later, and a device may be two steps behind
  // (train/step_sums.hpp); one more is under way.
  constexpr double steps = 6;
  // A periodic checkpoint may have to be finished first.
  constexpr double checkpoints = 2;
  // For the end of the processes, and for what takes longer than before.
  const double margin = std::clamp(0.02 * allotted, 2.0, 30.0);
  return steps * pace.step() + checkpoints * pace.checkpoint() + margin;
}

double question_interval(double seconds_left) {
  return std::clamp(seconds_left / 5, 15.0, 300.0);
}

}  // namespace convoy
