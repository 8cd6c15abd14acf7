#include "train/run_setup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "model/networks.hpp"
#include "train/batch_text.hpp"
#include "train/schedule.hpp"

namespace convoy {
namespace {

bool read_number(std::string_view text, double& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// The mean that is subtracted: 3 values, or the mean image read by rank 0.
std::vector<float> input_mean(const RunSetup& setup, Communicator& communicator) {
  const std::string& kind = setup.configuration.input_mean;
  if (kind == "none") return {0, 0, 0};
  if (kind == "pixel") {
    const double* mean = setup.store.statistics->mean;
    return {static_cast<float>(mean[0]), static_cast<float>(mean[1]), static_cast<float>(mean[2])};
  }
  const auto side = static_cast<std::size_t>(setup.store.image_size);
  std::vector<float> image(3 * side * side);
  communicator.on_rank_zero([&] {
    image = read_mean_image(setup.store);
    if (image.size() != 3 * side * side)
      fail(ExitCode::bad_data, "{}/mean.h5: the mean image has {} values where 3 × {} × {} are wanted",
           setup.store.folder.string(), image.size(), side, side);
    return std::string();
  });
  communicator.broadcast(std::as_writable_bytes(std::span(image)));
  return image;
}

void check_store(const RunSetup& setup) {
  const TrainConfiguration& c = setup.configuration;
  if (setup.store.split("train").images == 0)
    fail(ExitCode::usage, "--data {}: the training split has no images", c.data);
  if (setup.store.image_size < setup.network.input.height)
    fail(ExitCode::usage,
         "--data {}: its images are {} × {} pixels, but {} takes {} × {}; pack the data again with "
         "--image-size {} or "
         "more, or choose a network for smaller images (`convoy models` lists them)",
         c.data, setup.store.image_size, setup.store.image_size, c.model, setup.network.input.height,
         setup.network.input.height, std::max(setup.network.stored_side, setup.network.input.height));
  if (c.schedule.kind == ScheduleKind::plateau && (!setup.store.val || setup.store.val->images == 0))
    fail(ExitCode::usage,
         "--schedule plateau follows the validation error, but the store {} has no validation split; pack "
         "one with "
         "--split val or choose another schedule",
         c.data);
  if (!setup.store.statistics && (c.input_mean == "pixel" || c.input_scale == "std" || c.augmentation.colour))
    fail(ExitCode::bad_data, "{}/store.json holds no statistics of the training split; pack the store again",
         c.data);
}

std::int64_t updates_of_run(const TrainConfiguration& c, const BatchPlan& plan) {
  if (c.steps >= 0) return c.steps;
  return std::max<std::int64_t>(1, std::llround(c.epochs * static_cast<double>(plan.steps_per_epoch())));
}

}  // namespace

Store open_store(const std::string& folder, Communicator& communicator) {
  const std::string text = communicator.on_rank_zero([&] { return read_store_text(folder); });
  return parse_store(text, folder);
}

std::vector<float> input_scale(const std::string& text, const double (&deviation)[3]) {
  if (text == "none") return {1, 1, 1};
  if (text == "std") {
    std::vector<float> scale;
    for (const double value : deviation)
      scale.push_back(value > 0 ? static_cast<float>(1 / value) : 1.0F);  // a constant channel stays as it is
    return scale;
  }
  const std::size_t slash = text.find('/');
  double value = 0, divisor = 1;
  const bool read =
      read_number(std::string_view(text).substr(0, slash), value) &&
      (slash == std::string::npos || read_number(std::string_view(text).substr(slash + 1), divisor));
  value /= divisor;
  if (!read || !std::isfinite(value) || value == 0)
    fail(ExitCode::usage, "--input-scale {}: must be std, none or a number such as 1/255", text);
  return std::vector<float>(3, static_cast<float>(value));
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

RunSetup prepare_run(const TrainConfiguration& configuration, Communicator& communicator) {
  RunSetup setup;
  setup.configuration = configuration;
  TrainConfiguration& c = setup.configuration;
  check_batch(c.global_batch, communicator.size(), c.accumulate);
  setup.store = open_store(c.data, communicator);
  if (c.classes == 0) c.classes = static_cast<int>(setup.store.classes.size());
  setup.classes = output_classes(setup.store, c.classes);
  setup.network = make_network(c.model, {.classes = c.classes, .dropout = c.dropout});
  setup.initialiser = c.initialiser.value_or(setup.network.initialiser);
  check_store(setup);
  check_rate_rules(c.schedule.rules, ParameterTable(setup.network));
  const Statistics statistics = setup.store.statistics.value_or(Statistics{});
  c.augmentation.statistics = statistics;
  setup.input.stored_side = setup.store.image_size;
  setup.input.crop_side = setup.network.input.height;
  const std::vector<float> scale = input_scale(c.input_scale, statistics.std);
  std::copy(scale.begin(), scale.end(), setup.input.scale);
  setup.input.mean = input_mean(setup, communicator);
  setup.plan = {.images = setup.store.split("train").images,
                .global_batch = c.global_batch,
                .ranks = communicator.size(),
                .accumulate = c.accumulate};
  setup.last_step = updates_of_run(c, setup.plan);
  setup.threads = plan_threads(c.threads, communicator);
  setup.device = plan_device(c.device, communicator);
  check_device_options(c, setup.device.kind, communicator.size());
  if (!c.deterministic) c.deterministic = setup.device.kind == DeviceKind::cpu;
  return setup;
}

}  // namespace convoy
