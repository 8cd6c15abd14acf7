// What a run does and when, without running it: epochs, learning rates, evaluations, checkpoints, the disk
// that they take. Pure functions; used by plan.cpp.
#pragma once

#include <cstdint>
#include <vector>

#include "data/batch_plan.hpp"
#include "model/net_spec.hpp"
#include "settings/train_configuration.hpp"
#include "train/resolved_run.hpp"

namespace convoy {

// The data of a run: a store's, or the sizes that it will have.
struct DataSizes {
  std::int64_t images = 0, validation_images = 0;
  int classes = 0, image_size = 0;
  std::int64_t class_text = 0;  // bytes of the ids and names of the classes; 0: not known
};

// Epochs that follow each other and have the same rate, or one epoch in which it changes.
struct RateStretch {
  std::int64_t first_epoch = 0, epochs = 1;
  double first_rate = 0, last_rate = 0;  // of its first and its last update
};

struct RunSchedule {
  BatchPlan batches;
  RunLength length;
  double rate_factor = 1;  // --scale-lr
  std::vector<RateStretch> stretches;
  bool follows_validation = false;  // plateau: rates are those of a run whose error always falls
  double lowest_plateau_rate = 0;   // after all drops
  std::int64_t evaluations = 0, checkpoints = 0;  // the last ones included
};

// Throws ExitCode::usage where the batch cannot be shared by the ranks.
RunSchedule plan_schedule(const TrainConfiguration& configuration, const DataSizes& data, int ranks);

// The rate of the update behind `step` updates.
double planned_rate(const TrainConfiguration& configuration, const RunSchedule& schedule, std::int64_t step);

struct DiskPlan {
  double checkpoint = 0;  // bytes of one
  std::int64_t kept = 0;  // at the end, the best one included
  double most = 0;        // at any time: one more is being written before the oldest goes
};

// `parameters`: of the network, without gaps.
DiskPlan plan_disk(const TrainConfiguration& configuration, const RunSchedule& schedule,
                   const DataSizes& data, const NetSpec& network);

}  // namespace convoy
