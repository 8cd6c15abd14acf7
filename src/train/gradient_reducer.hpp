// Cuts the flat gradient into buckets and sends each as soon as backward has finished it: the seam between
// backward and communication. Used by the trainer once a step.
#pragma once

#include <cstddef>
#include <vector>

#include "comm/collective.hpp"
#include "engine/training_replica.hpp"

namespace convoy {

struct Bucket {
  std::size_t begin = 0, end = 0;  // elements of the flat buffer
};

// What a bucket should have: enough for bandwidth, little enough that the first starts early in backward.
inline constexpr std::size_t bucket_bytes = 8U << 20;

// Consecutive buckets of about `bytes` each that together cover [0, elements); a pure function, the same on
// every rank. Large tensors are cut (fc6 is 151 MB); boundaries are multiples of parameter_alignment.
std::vector<Bucket> plan_buckets(std::size_t elements, std::size_t bytes);

class GradientReducer {
 public:
  GradientReducer(Collective& collective, TrainingReplica& replica, std::vector<Bucket> buckets);

  // At the start of a step: forgets an earlier one that was abandoned (a recording that failed).
  void begin();

  // Backward's callback: elements [0, end) are final. Starts every bucket that is complete now.
  void ready(std::size_t end);

  // Waits for all buckets and reports each as it arrives, unless `ready` has done so.
  void finish();

 private:
  Collective& collective_;
  TrainingReplica& replica_;
  std::vector<Bucket> buckets_;
  std::size_t started_ = 0, reported_ = 0;
};

}  // namespace convoy
