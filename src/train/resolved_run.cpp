#include "train/resolved_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/shared_store.hpp"
#include "model/networks.hpp"
#include "settings/check.hpp"
#include "train/batch_text.hpp"

namespace convoy {
namespace {

// The mean image of the store, read by rank 0.
std::vector<float> mean_image(const Store& store, Communicator& communicator) {
  const auto side = static_cast<std::size_t>(store.image_size);
  std::vector<float> image(3 * side * side);
  communicator.on_rank_zero([&] {
    image = read_mean_image(store);
    if (image.size() != 3 * side * side)
      fail(ExitCode::bad_data, "{}/mean.h5: the mean image has {} values where 3 × {} × {} are wanted",
           store.folder.string(), image.size(), side, side);
    return std::string();
  });
  communicator.broadcast(std::as_writable_bytes(std::span(image)));
  return image;
}

// The mean that is subtracted: 3 values, or an image.
std::vector<float> mean_values(InputMean kind, const Store& store, Communicator& communicator) {
  if (kind == InputMean::none) return {0, 0, 0};
  if (kind == InputMean::image) return mean_image(store, communicator);
  const double* mean = store.statistics->mean;
  return {static_cast<float>(mean[0]), static_cast<float>(mean[1]), static_cast<float>(mean[2])};
}

void check_store(const TrainConfiguration& c, const Store& store, const NetSpec& network) {
  if (store.split("train").images == 0)
    fail(ExitCode::usage, "--data {}: the training split has no images", c.data);
  if (store.image_size < network.input.height)
    fail(ExitCode::usage,
         "--data {}: its images are {} × {} pixels, but {} takes {} × {}; pack the data again with "
         "--image-size {} or more, or choose a network for smaller images (`convoy models` lists them)",
         c.data, store.image_size, store.image_size, c.model, network.input.height, network.input.height,
         std::max(network.stored_side, network.input.height));
  if (c.schedule.kind == ScheduleKind::plateau && (!store.val || store.val->images == 0))
    fail(ExitCode::usage,
         "--schedule plateau follows the validation error, but the store {} has no validation split; pack "
         "one with --split val or choose another schedule",
         c.data);
  const bool statistics =
      c.input_mean == InputMean::pixel || c.input_scale.by_deviation || c.augmentation.colour;
  if (!store.statistics && statistics)
    fail(ExitCode::bad_data, "{}/store.json holds no statistics of the training split; pack the store again",
         c.data);
}

InputSpec input_of(const TrainConfiguration& c, const Store& store, const NetSpec& network,
                   Communicator& communicator) {
  InputSpec input;
  input.stored_side = store.image_size;
  input.crop_side = network.input.height;
  const std::vector<float> scale = input_scale(c.input_scale, store.statistics.value_or(Statistics{}).std);
  std::copy(scale.begin(), scale.end(), input.scale);
  input.mean = mean_values(c.input_mean, store, communicator);
  return input;
}

}  // namespace

RunLength run_length(const TrainConfiguration& c, const BatchPlan& plan) {
  const std::int64_t steps = plan.steps_per_epoch();
  if (c.steps >= 0) return {.last_step = c.steps, .steps_per_epoch = steps};
  const std::int64_t updates = std::llround(c.epochs * static_cast<double>(steps));
  return {.last_step = std::max<std::int64_t>(1, updates), .steps_per_epoch = steps};
}

std::vector<float> input_scale(const InputScale& scale, const double (&deviation)[3]) {
  if (!scale.by_deviation) return std::vector<float>(3, static_cast<float>(scale.number));
  std::vector<float> factors;
  for (const double value : deviation)
    factors.push_back(value > 0 ? static_cast<float>(1 / value) : 1.0F);  // a constant channel stays as it is
  return factors;
}

double linear_scaling_factor(const TrainConfiguration& configuration) {
  if (!configuration.scale_rate_linearly || configuration.recipe_batch <= 0) return 1;
  return static_cast<double>(configuration.global_batch) / static_cast<double>(configuration.recipe_batch);
}

std::vector<ClassEntry> output_classes(const Store& store, int classes) {
  std::vector<ClassEntry> entries = store.classes;
  if (classes < static_cast<int>(entries.size()))
    fail(ExitCode::usage, "--classes {}: the store {} has {} classes; leave --classes out to take them",
         classes, store.folder.string(), entries.size());
  for (int index = static_cast<int>(entries.size()); index < classes; ++index)
    entries.push_back({fmt::format("class-{}", index), fmt::format("class {}", index)});
  return entries;
}

ResolvedRun resolve_run(const TrainConfiguration& asked, Communicator& communicator) {
  check_batch(asked.global_batch, communicator.size(), asked.accumulate);
  ResolvedRun run;
  run.configuration = asked;
  run.store = open_store(asked.data, communicator);
  const int classes = asked.classes != 0 ? asked.classes : static_cast<int>(run.store.classes.size());
  run.configuration.classes = classes;
  run.classes = output_classes(run.store, classes);
  run.network = make_network(asked.model, {.classes = classes, .dropout = asked.dropout});
  run.initialiser = asked.initialiser.value_or(run.network.initialiser);
  check_store(asked, run.store, run.network);
  run.augmentation = asked.augmentation;
  run.augmentation.statistics = run.store.statistics.value_or(Statistics{});
  run.input = input_of(asked, run.store, run.network, communicator);
  run.plan = {.images = run.store.split("train").images,
              .global_batch = asked.global_batch,
              .ranks = communicator.size(),
              .accumulate = asked.accumulate};
  check_rows(run.plan);
  run.length = run_length(asked, run.plan);
  run.rate_factor = linear_scaling_factor(asked);
  run.threads = plan_threads(asked.threads, communicator);
  run.device = plan_device(asked.device, communicator);
  check_device_options(asked, run.device.kind, communicator.size());
  run.deterministic = asked.deterministic.value_or(run.device.kind == DeviceKind::cpu);
  run.configuration.deterministic = run.deterministic;
  return run;
}

}  // namespace convoy
