// How early a run must stop for its checkpoint to be complete at a deadline: pure arithmetic on measured
// times. Used by RunDeadline.
#pragma once

#include <cstdint>

namespace convoy {

// How long steps and checkpoints take: the longest of late, since a mean helps nobody who must be done in
// time. Long ones are forgotten slowly. The first step contains work that does not come again and counts only
// until there is another.
class Pace {
 public:
  // `checkpoint_bytes`: until a checkpoint was written, its time is guessed from its size.
  explicit Pace(std::uint64_t checkpoint_bytes);

  void add_step(double seconds);
  void add_checkpoint(double seconds);  // from the copy of the weights to the end of writing

  double step() const { return step_; }
  double checkpoint() const { return checkpoint_; }

 private:
  double step_ = 0, checkpoint_ = 0;
  std::int64_t steps_ = 0;
  bool measured_ = false;  // a checkpoint
};

// Seconds before the deadline at which a stop must be asked for, in a run that began `allotted` seconds
// before it.
double seconds_needed(const Pace& pace, double allotted);

// Seconds to wait before Slurm is asked again for the end of the job.
double question_interval(double seconds_left);

}  // namespace convoy
