// The oracle of whole runs: training written down plainly, on one replica that sees every global batch whole.
// No ranks, no buckets, no queue of sums.
#pragma once

#include <cstdint>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "train/resolved_run.hpp"

namespace convoy::test {

struct SerialRun {
  std::vector<double> losses;      // mean over each step's samples
  std::vector<float> first, last;  // parameters
  Checkpoint kept;                 // after step `keep`
};

// On this process alone. SGD; no schedule that watches validation.
SerialRun train_serially(const ResolvedRun& setup, std::int64_t keep = -1);

// ‖a − b‖.
double distance(const std::vector<float>& a, const std::vector<float>& b);

}  // namespace convoy::test
