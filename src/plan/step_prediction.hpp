// How long a step takes on some ranks: the device's own phases, and the sums of buckets that begin as
// backward completes them. A simulation of events, not a formula: with the buckets of the trainer
// (train/gradient_reducer.hpp), times by sum_cost.hpp. Used by plan.cpp.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "plan/sum_cost.hpp"
#include "train/gradient_reducer.hpp"

namespace convoy {

// Backward completes elements [0, end) of the gradient this long after it began.
struct ReadyPoint {
  std::size_t end = 0;
  double seconds = 0;
};

// A step of one rank without communication.
struct DeviceStep {
  double input = 0, forward = 0, backward = 0, update = 0;
  std::vector<ReadyPoint> ready =
      {};  // ascending in both; the last has the whole gradient, at most at the end
};

// What sums do while the device computes.
enum class SumProgress {
  beside,   // they run beside it: NCCL, or a thread of MPI on a core of its own
  sharing,  // a thread of MPI drives them, but has no core of its own: its work slows computing down
  polled,  // the computing thread drives them: it looks at them when a layer's gradient is complete, and then
           // one message of each piece in flight gets on (comm/mpi_collective.cpp without a spare core)
};

struct StepInput {
  DeviceStep device = {};
  std::vector<Bucket> buckets = {};
  RankNetwork network = {};
  SumAlgorithm algorithm = SumAlgorithm::automatic;
  SumProgress progress = SumProgress::beside;
  double bytes_per_element = 4;  // on the wire
  bool updates_early = false;    // a GPU updates what is summed while it waits for the rest
};

struct BucketTimes {
  double ready = 0, begin = 0, end = 0;  // since backward began
};

struct StepPrediction {
  double input = 0, forward = 0, backward = 0, exposed = 0, update = 0;
  double sums = 0;    // seconds of all sums, hidden or not
  double hidden = 0;  // the part of them that computing covers
  std::vector<BucketTimes> buckets = {};
  double seconds() const { return input + forward + backward + exposed + update; }
};

StepPrediction predict_step(const StepInput& input);

// When `end` elements are complete: that of the first point that has as many.
double ready_seconds(const std::vector<ReadyPoint>& ready, std::size_t end);

}  // namespace convoy
