// A run as it will be computed: what was asked for (TrainConfiguration) together with what the store, the
// ranks and their devices make of it. Decided once, before training begins, the same on every rank but for
// the device; nothing changes it afterwards. Makes no large allocations, so that invalid runs fail early.
// Used by train/.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "data/augmentation.hpp"
#include "data/batch.hpp"
#include "data/batch_plan.hpp"
#include "data/store.hpp"
#include "engine/device_plan.hpp"
#include "engine/engine.hpp"
#include "engine/thread_plan.hpp"
#include "model/net_spec.hpp"
#include "settings/train_configuration.hpp"

namespace convoy {

// How long a run is, in updates and in epochs.
struct RunLength {
  std::int64_t last_step = 0;  // the run ends after this many updates
  std::int64_t steps_per_epoch = 1;

  double epoch_of(std::int64_t step) const {
    return static_cast<double>(step) / static_cast<double>(steps_per_epoch);
  }
  double total_epochs() const { return epoch_of(last_step); }
  bool is_epoch_end(std::int64_t step) const { return step % steps_per_epoch == 0; }
};

struct ResolvedRun {
  // As asked for, with the number of classes and `deterministic` decided: the configuration of checkpoints.
  TrainConfiguration configuration;
  Store store;
  std::vector<ClassEntry> classes;  // one for each output of the network
  NetSpec network;
  Initialiser initialiser = Initialiser::torch;
  InputSpec input;
  AugmentationSettings augmentation;  // with the store's statistics
  BatchPlan plan;
  RunLength length;
  double rate_factor = 1;  // multiplies every learning rate: --scale-lr
  ThreadPlan threads;
  DevicePlan device;  // of this rank
  bool deterministic = true;
};

// Reads the store on rank 0 and fits everything together; collective. Throws ExitCode::usage for what does
// not fit (store smaller than the network's input, classes, plateau without validation images, more ranks
// than samples in the batch …), bad_data or io for a store that cannot be read. `configuration` has passed
// check_configuration.
ResolvedRun resolve_run(const TrainConfiguration& configuration, Communicator& communicator);

// By --steps or --epochs.
RunLength run_length(const TrainConfiguration& configuration, const BatchPlan& plan);

// The factors of the three channels: 1 ÷ `deviation` (1 for a constant channel), or the number that was
// given.
std::vector<float> input_scale(const InputScale& scale, const double (&deviation)[3]);

// The factor of `--scale-lr linear` (Goyal et al. 2017): global batch over the recipe's own; 1 when it is
// off.
double linear_scaling_factor(const TrainConfiguration& configuration);

// The store's classes, followed by "class N" for outputs beyond them. Throws ExitCode::usage when the network
// has fewer.
std::vector<ClassEntry> output_classes(const Store& store, int classes);

}  // namespace convoy
