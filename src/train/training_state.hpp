// What a run remembers from step to step beside the replica's buffers: it goes into checkpoints, so that a
// resumed run is the run that never stopped. Everything in here is the same on every rank and a function of
// the training alone (no clocks, no attempt numbers): equal runs write equal checkpoints.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "engine/update.hpp"
#include "train/schedule.hpp"

namespace convoy {

// Sums over all ranks since the last step record.
struct TrainingWindow {
  std::int64_t steps = 0, samples = 0, top1 = 0;
  double loss = 0;
  std::optional<double> loss_scale{};  // in fp16: of the newest step; not kept in checkpoints
};

struct TrainingState {
  std::int64_t step = 0;  // completed updates
  PlateauState plateau;
  TrainingWindow window;
  std::int64_t evaluated_step = -1;                             // of the last validation; -1: none yet
  double best_top1 = std::numeric_limits<double>::quiet_NaN();  // of all validations
  double best_checkpoint_top1 = std::numeric_limits<double>::quiet_NaN();  // of those with a checkpoint
  LossScale loss_scale{.scale = LossScale::first};  // in fp16; as of the last checkpoint
};

// The attribute `schedule_state` of a checkpoint: all but step, best_top1 and the loss scale itself, which
// have their own.
std::string state_to_json(const TrainingState& state);

// Reads it back into `state`. An empty text (imported weights) changes nothing; throws ExitCode::bad_data for
// text that is not such an object.
void state_from_json(const std::string& text, TrainingState& state);

// Whether `value` is better than `best`, which may be NaN (nothing yet).
inline bool is_better(double value, double best) {
  return value > best || (best != best && value == value);
}

}  // namespace convoy
