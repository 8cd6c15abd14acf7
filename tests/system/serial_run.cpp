#include "system/serial_run.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "data/loader.hpp"
#include "model/initialise.hpp"
#include "settings/configuration_text.hpp"
#include "train/schedule.hpp"
#include "train/training_state.hpp"

namespace convoy::test {
namespace {

Checkpoint checkpoint_of(const ResolvedRun& setup, const TrainingReplica& replica, std::int64_t step) {
  Checkpoint checkpoint;
  CheckpointHeader& header = checkpoint.header;
  header.model = setup.configuration.model;
  header.step = step;
  header.epoch = step / setup.plan.steps_per_epoch();
  header.epoch_samples = step % setup.plan.steps_per_epoch() * setup.plan.global_batch;
  header.configuration = configuration_text(setup.configuration);
  header.store_fingerprint = setup.store.fingerprint;
  header.schedule_state = state_to_json({});
  header.input = setup.input;
  header.classes = setup.classes;
  header.optimizer = word_of(optimizer_words(), setup.configuration.optimizer.rule);
  header.slots = {"velocity"};
  checkpoint.parameters.resize(replica.table().size());
  replica.read_parameters(checkpoint.parameters);
  checkpoint.optimizer.emplace_back(replica.table().size());
  replica.read_slot(0, checkpoint.optimizer[0]);
  return checkpoint;
}

}  // namespace

SerialRun train_serially(const ResolvedRun& setup, std::int64_t keep) {
  const TrainConfiguration& c = setup.configuration;
  const ParameterTable table(setup.network);
  SerialRun run;
  run.first.resize(table.size());
  run.last.resize(table.size());
  initialise_parameters(table, setup.initialiser, c.seed, run.first);
  const auto replica = make_training_replica(
      setup.network, setup.input, {.device = DeviceKind::cpu, .threads = 1}, {.optimizer = c.optimizer});
  replica->write_parameters(run.first);
  replica->write_slot(0, std::vector<float>(table.size()));
  const auto program = replica->compile({.batch = static_cast<int>(c.global_batch)});
  LoaderOptions options;
  options.global_batch = c.global_batch;
  options.seed = c.seed;
  options.augmentation = setup.augmentation;
  options.crop_side = setup.input.crop_side;
  Loader loader(setup.store, options);
  for (std::int64_t step = 0; step < setup.length.last_step; ++step) {
    const BatchView& batch = loader.next();
    const double samples = batch.rows;
    program->forward(batch, {.seed = c.seed, .step = step, .gradient_scale = 1 / samples});
    program->backward(false, [](std::size_t) {});
    run.losses.push_back(program->metrics().loss / samples);
    replica->gradients_summed(0, table.size());
    const auto rates = tensor_rates(
        table, c.schedule, decay_of(c),
        {.epoch = setup.length.epoch_of(step), .total_epochs = setup.length.total_epochs(), .plateau = {}});
    EXPECT_TRUE(replica->update({.number = step + 1, .rates = rates}).finite);
    if (step + 1 == keep) run.kept = checkpoint_of(setup, *replica, keep);
  }
  replica->read_parameters(run.last);
  return run;
}

// ‖a − b‖.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * static_cast<double>(a[i] - b[i]);
  return std::sqrt(sum);
}

}  // namespace convoy::test
