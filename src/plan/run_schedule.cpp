#include "plan/run_schedule.hpp"

#include <algorithm>

#include "engine/optimizer_table.hpp"
#include "model/parameter_table.hpp"
#include "train/batch_text.hpp"
#include "train/schedule.hpp"

namespace convoy {
namespace {

// How often an interval ends before the last step, and once at the end unless that is ruled out too.
std::int64_t times(const Interval& interval, const RunLength& length) {
  if (length.last_step <= 0 || interval.never) return 0;
  const std::int64_t steps = interval.epochs ? interval.count * length.steps_per_epoch : interval.count;
  return steps > 0 ? (length.last_step - 1) / steps + 1 : 1;
}

std::vector<RateStretch> stretches_of(const TrainConfiguration& c, const RunSchedule& schedule) {
  std::vector<RateStretch> stretches;
  const std::int64_t per_epoch = schedule.length.steps_per_epoch;
  for (std::int64_t first = 0; first < schedule.length.last_step; first += per_epoch) {
    const std::int64_t last = std::min(first + per_epoch, schedule.length.last_step) - 1;
    const RateStretch epoch{.first_epoch = first / per_epoch,
                            .first_rate = planned_rate(c, schedule, first),
                            .last_rate = planned_rate(c, schedule, last)};
    RateStretch* const before = stretches.empty() ? nullptr : &stretches.back();
    const bool same = before != nullptr && before->first_rate == before->last_rate &&
                      epoch.first_rate == epoch.last_rate && epoch.first_rate == before->last_rate;
    if (same)
      ++before->epochs;
    else
      stretches.push_back(epoch);
  }
  return stretches;
}

}  // namespace

double planned_rate(const TrainConfiguration& configuration, const RunSchedule& schedule, std::int64_t step) {
  return base_rate(configuration.schedule, {.epoch = schedule.length.epoch_of(step),
                                            .total_epochs = schedule.length.total_epochs(),
                                            .plateau = {},
                                            .factor = schedule.rate_factor});
}

RunSchedule plan_schedule(const TrainConfiguration& configuration, const DataSizes& data, int ranks) {
  const TrainConfiguration& c = configuration;
  check_batch(c.global_batch, ranks, c.accumulate);
  RunSchedule schedule;
  schedule.batches = {
      .images = data.images, .global_batch = c.global_batch, .ranks = ranks, .accumulate = c.accumulate};
  check_rows(schedule.batches);
  schedule.length = run_length(c, schedule.batches);
  schedule.rate_factor = linear_scaling_factor(c);
  schedule.stretches = stretches_of(c, schedule);
  schedule.follows_validation = c.schedule.kind == ScheduleKind::plateau;
  SchedulePoint end{.epoch = schedule.length.total_epochs(),
                    .total_epochs = schedule.length.total_epochs(),
                    .plateau = {},
                    .factor = schedule.rate_factor};
  end.plateau.drops = c.schedule.drops;
  if (schedule.follows_validation) schedule.lowest_plateau_rate = base_rate(c.schedule, end);
  if (data.validation_images > 0) schedule.evaluations = times(c.evaluate_every, schedule.length);
  schedule.checkpoints = times(c.checkpoint_every, schedule.length);
  return schedule;
}

DiskPlan plan_disk(const TrainConfiguration& configuration, const RunSchedule& schedule,
                   const DataSizes& data, const NetSpec& network) {
  const ParameterTable table(network);
  const double copies = 1 + slot_count(configuration.optimizer.rule);
  // HDF5's own structure: about 1 KiB for each dataset with its checksum, and for each class two references
  // to its texts of 16 bytes in the dataset and of 16 or more in the file's heap.
  const double datasets = static_cast<double>(table.parameters().size()) * copies + 4;
  const double class_text = data.class_text > 0 ? static_cast<double>(data.class_text) : 25.0 * data.classes;
  const double side = data.image_size;
  const double mean = configuration.input_mean == InputMean::image ? 3 * side * side * sizeof(float) : 0;
  DiskPlan disk;
  disk.checkpoint = static_cast<double>(table.count()) * sizeof(float) * copies + mean + datasets * 1024 +
                    class_text + 80.0 * data.classes;
  const std::int64_t keep = configuration.keep;
  const bool best_beside = schedule.evaluations > 0 && schedule.checkpoints > keep;
  disk.kept = keep == 0 ? schedule.checkpoints
                        : std::min<std::int64_t>(schedule.checkpoints, keep) + (best_beside ? 1 : 0);
  disk.most = disk.checkpoint * static_cast<double>(disk.kept + (schedule.checkpoints > disk.kept ? 1 : 0));
  return disk;
}

}  // namespace convoy
