#include "system/tiny_run.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>

#include "data/store_writer.hpp"
#include "engine/device_plan.hpp"
#include "model/networks.hpp"
#include "report/metrics_file.hpp"
#include "report/records.hpp"
#include "report/run_file.hpp"

namespace convoy::test {
namespace {

// Stripes in a class's own colour and width, moved from image to image.
void draw(int label, std::int64_t image, int side, std::span<std::uint8_t> square) {
  for (int row = 0; row < side; ++row)
    for (int column = 0; column < side; ++column) {
      std::uint8_t* pixel = &square[static_cast<std::size_t>((row * side + column) * 3)];
      const bool stripe = (row + column + static_cast<int>(image) * 5) / (4 + 4 * label) % 2 == 0;
      for (int channel = 0; channel < 3; ++channel)
        pixel[channel] = static_cast<std::uint8_t>((channel == label % 3 ? 180 : 70) + (stripe ? 50 : 0) +
                                                   static_cast<int>(image * 7 + row) % 23);
    }
}

void write_split_of(const std::filesystem::path& folder, const std::string& split, int images,
                    const TinyStore& tiny, Communicator& communicator) {
  SplitPlan plan;
  plan.folder = folder;
  plan.split = split;
  plan.image_size = tiny.side;
  plan.fit = tiny.fit;
  plan.shard_bytes = 100'000;  // several shards
  for (int index = 0; index < tiny.classes; ++index)
    plan.classes.push_back({fmt::format("c{}", index), fmt::format("class number {}", index)});
  for (int image = 0; image < images; ++image) {
    plan.names.push_back(fmt::format("{}-{:03}", split, image));
    plan.labels.push_back(image % tiny.classes);
  }
  bind_plan(plan, "tiny");
  const int offset = split == "train" ? 0 : 1000;
  write_split(
      plan,
      [&](std::int64_t position, std::span<std::uint8_t> square) {
        draw(plan.labels[static_cast<std::size_t>(position)], position + offset, tiny.side, square);
      },
      communicator, Log(communicator.rank(), communicator.size(), LogLevel::warning));
}

}  // namespace

void write_tiny_store(const std::filesystem::path& folder, const TinyStore& tiny,
                      Communicator& communicator) {
  write_split_of(folder, "train", tiny.images, tiny, communicator);
  if (tiny.validation_images > 0) write_split_of(folder, "val", tiny.validation_images, tiny, communicator);
}

TrainConfiguration tiny_configuration(const SharedFolder& folder, const std::string& output) {
  TrainConfiguration configuration;
  configuration.model = "alexnet-mini";
  configuration.data = (folder / "store").string();
  configuration.output = (folder / output).string();
  configuration.device = DeviceKind::cpu;
  configuration.epochs = 2;
  configuration.global_batch = 8;
  configuration.log_every = 1;
  configuration.threads = 1;
  configuration.workers = 1;
  configuration.watchdog_seconds = 120;
  configuration.schedule.rate.first = 0.02;
  configuration.augmentation.crop = configuration.augmentation.mirror = true;
  return configuration;
}

void Recorder::on_step(const StepRecord& record) {
  steps.push_back(record);
  if (stop_at >= 0 && record.step >= stop_at) stop = true;
}

std::vector<EventRecord> Records::events_of(const std::string& what) const {
  std::vector<EventRecord> found;
  for (const EventRecord& event : events)
    if (event.what == what) found.push_back(event);
  return found;
}

std::string why_no_gpus(Communicator& communicator) {
  try {
    plan_device(DeviceKind::cuda, communicator);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

TrainingResult train(const TrainConfiguration& configuration, Communicator& communicator,
                     Recorder& recorder) {
  const Log log(communicator.rank(), communicator.size(), LogLevel::warning);
  MetricsFile metrics(configuration.output, log);
  RunFile run_file(configuration.output, log);
  std::vector<Observer*> observers = {&recorder, &run_file, &metrics};
  const std::vector<std::unique_ptr<Observer>> records = requested_records(configuration, log);
  for (const std::unique_ptr<Observer>& record : records) observers.push_back(record.get());
  return run_training(configuration, communicator, log, observers, recorder.stop);
}

void expect_predictions_fit(const Records& records, Communicator& communicator) {
  if (communicator.rank() != 0) return;
  ASSERT_EQ(records.predictions.size(), records.validations.size());
  for (std::size_t i = 0; i < records.predictions.size(); ++i) {
    const std::vector<SamplePrediction>& predictions = records.predictions[i];
    const ValidationRecord& validation = records.validations[i];
    ASSERT_EQ(static_cast<std::int64_t>(predictions.size()), validation.samples);
    std::int64_t right = 0;
    for (std::size_t sample = 0; sample < predictions.size(); ++sample) {
      EXPECT_EQ(predictions[sample].sample, sample);
      EXPECT_GT(predictions[sample].probability, 0);
      right += predictions[sample].top[0] == predictions[sample].truth;
    }
    EXPECT_EQ(static_cast<double>(right) / static_cast<double>(predictions.size()), validation.top1);
  }
}

Refusal refused(const TrainConfiguration& configuration, Communicator& communicator) {
  Recorder recorder;
  try {
    train(configuration, communicator, recorder);
  } catch (const Error& error) {
    return {error.category(), error.what()};
  }
  ADD_FAILURE() << "the run was not refused";
  return {};
}

Checkpoint load(const std::filesystem::path& run, std::int64_t step, const TrainConfiguration& configuration,
                int classes) {
  const NetSpec network = make_network(configuration.model, {.classes = classes, .dropout = {}});
  return CheckpointFile(run / "checkpoints" / checkpoint_name(step)).read(ParameterTable(network));
}

void expect_same(const Checkpoint& left, const Checkpoint& right) {
  const CheckpointHeader &a = left.header, &b = right.header;
  EXPECT_EQ(a.model, b.model);
  EXPECT_EQ(a.step, b.step);
  EXPECT_EQ(a.epoch, b.epoch);
  EXPECT_EQ(a.epoch_samples, b.epoch_samples);
  EXPECT_EQ(a.configuration, b.configuration);
  EXPECT_EQ(a.store_fingerprint, b.store_fingerprint);
  EXPECT_EQ(a.schedule_state, b.schedule_state);
  EXPECT_EQ(a.loss_scale, b.loss_scale);
  EXPECT_EQ(std::memcmp(&a.best_top1, &b.best_top1, sizeof(double)), 0) << a.best_top1 << " " << b.best_top1;
  EXPECT_EQ(a.input.mean, b.input.mean);
  EXPECT_EQ(a.fit, b.fit);
  EXPECT_EQ(a.classes, b.classes);
  EXPECT_EQ(a.slots, b.slots);
  EXPECT_TRUE(left.parameters == right.parameters);
  EXPECT_TRUE(left.optimizer == right.optimizer);
}

}  // namespace convoy::test
