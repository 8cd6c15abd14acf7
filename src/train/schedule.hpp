// The learning rate as a pure function of the epoch: constant, step, plateau, polynomial and cosine schedules
// over a base rate that may itself be dated, with a linear warm-up. Used by the trainer at
// every step. An epoch here is fractional: complete epochs plus the part of the next that is done, taken
// before the update it is for; the first update of epoch 25 (counted from 0) sees 25.0.
#pragma once

#include <limits>
#include <vector>

#include "engine/update.hpp"
#include "model/parameter_table.hpp"
#include "settings/train_configuration.hpp"

namespace convoy {

// What a plateau schedule remembers of the validations so far.
struct PlateauState {
  double best_error = std::numeric_limits<double>::infinity();  // top-1 error, fraction
  double since_epoch = 0;                                       // of the best, or of the last drop
  int drops = 0;
  friend bool operator==(const PlateauState&, const PlateauState&) = default;
};

// Takes in the validation error after `epoch` epochs. An error that is less than the best minus the threshold
// is a new best; `patience` epochs without one drop the rate, at most `drops` times. Returns whether the rate
// drops now.
bool update_plateau(const ScheduleSettings& settings, PlateauState& state, double epoch, double error);

// The dated rate that holds at `epoch`.
double rate_at(const DatedRate& rate, double epoch);

// A position in the schedule: how far the run is and how long it will be.
struct SchedulePoint {
  double epoch = 0;
  double total_epochs = 1;  // of the run, by --epochs or --steps: polynomial and cosine end here
  PlateauState plateau;
  double factor = 1;  // multiplies every rate: linear scaling with the global batch (Goyal et al. 2017)
};

// Warm-up's factor: from `warmup_start` to 1 over `warmup_epochs`, linear; it multiplies the schedule.
double warmup_factor(const ScheduleSettings& settings, double epoch);

// The base rate. step: × factor^⌊epoch / step_epochs⌋; plateau: × factor^drops; polynomial (T total epochs):
// end + (rate − end)·(1 − e/T)^power; cosine (Loshchilov and Hutter 2017): end + (rate − end)·(1 + cos
// πe/T)/2.
double base_rate(const ScheduleSettings& settings, const SchedulePoint& point);

// λ of the weights and of the biases.
struct Decay {
  double weights = 0, biases = 0;
};

inline Decay decay_of(const TrainConfiguration& configuration) {
  return {.weights = configuration.weight_decay,
          .biases = configuration.bias_decay.value_or(configuration.weight_decay)};
}

// Rate and decay of each parameter, in table order. A rule for "layer.kind" goes before one for "layer",
// which goes before one for "kind"; a rate of its own follows its own dates only (and warm-up).
std::vector<TensorRate> tensor_rates(const ParameterTable& table, const ScheduleSettings& schedule,
                                     const Decay& decay, const SchedulePoint& point);

}  // namespace convoy
