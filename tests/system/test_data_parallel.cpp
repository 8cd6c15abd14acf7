// Data-parallel training is serial training: the trainer on this test's ranks against a plain loop on one
// replica that sees every global batch whole. Dropout, random crops, an uneven share and a last batch smaller
// than the number of ranks are part of it.
#include <gtest/gtest.h>

#include <cmath>

#include "data/loader.hpp"
#include "model/initialise.hpp"
#include "support/mpi_test.hpp"
#include "system/tiny_run.hpp"
#include "train/run_setup.hpp"
#include "train/schedule.hpp"

namespace convoy::test {
namespace {

struct SerialRun {
  std::vector<double> losses;
  std::vector<float> first, last;  // parameters
};

// The oracle: no ranks, no buckets, no queue.
SerialRun train_serially(const RunSetup& setup) {
  const TrainConfiguration& c = setup.configuration;
  const ParameterTable table(setup.network);
  SerialRun run;
  run.first.resize(table.size());
  run.last.resize(table.size());
  initialise_parameters(table, setup.initialiser, c.seed, run.first);
  const auto replica =
      make_replica(setup.network, setup.input,
                   {.device = DeviceKind::cpu, .threads = 1, .optimizer = c.optimizer, .for_training = true});
  replica->write(Slot::parameters, run.first);
  replica->write(Slot::optimizer0, std::vector<float>(table.size()));
  const auto program = replica->compile({.batch = static_cast<int>(c.global_batch)});
  LoaderOptions options;
  options.global_batch = c.global_batch;
  options.seed = c.seed;
  options.augmentation = c.augmentation;
  options.crop_side = setup.input.crop_side;
  Loader loader(setup.store, options);
  for (std::int64_t step = 0; step < setup.last_step; ++step) {
    const BatchView& batch = loader.next();
    const double samples = batch.rows;
    program->forward(batch, {.seed = c.seed, .step = step, .gradient_scale = 1 / samples});
    program->backward(false, [](std::size_t) {});
    run.losses.push_back(program->metrics().loss / samples);
    replica->inspect_gradients(0, table.size());
    const auto rates =
        tensor_rates(table, c, {.epoch = setup.epoch_of(step), .total_epochs = c.epochs, .plateau = {}});
    EXPECT_TRUE(replica->update({.number = step + 1, .rates = rates}).finite);
  }
  replica->read(Slot::parameters, run.last);
  return run;
}

// ‖a − b‖.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * static_cast<double>(a[i] - b[i]);
  return std::sqrt(sum);
}

void compare_with_serial(TrainConfiguration configuration, const SharedFolder& folder) {
  const RunSetup setup = prepare_run(configuration, world());
  Recorder recorder;
  const TrainingResult result = train(configuration, world(), recorder);
  EXPECT_EQ(result.code, ExitCode::done);
  EXPECT_EQ(result.step, setup.last_step);
  world().on_rank_zero([&] {
    const SerialRun serial = train_serially(setup);
    EXPECT_EQ(recorder.steps.size(), serial.losses.size());
    // Sums in another order differ in the last bits of a float, and training spreads that: 1e-3 as promised.
    for (std::size_t i = 0; i < std::min(recorder.steps.size(), serial.losses.size()); ++i)
      EXPECT_NEAR(recorder.steps[i].loss / serial.losses[i], 1, 1e-3) << "step " << i + 1;
    const Checkpoint checkpoint = load(configuration.output, setup.last_step, configuration);
    const double moved = distance(serial.first, serial.last);
    EXPECT_GT(moved, 0.01);
    // Against the way the weights went, so that a wrong scale or a lost part of a batch shows.
    EXPECT_LT(distance(checkpoint.parameters, serial.last), 1e-3 * moved);
    return std::string();
  });
  static_cast<void>(folder);
}

class DataParallel : public testing::Test {
 protected:
  DataParallel() : folder_(world()) { write_tiny_store(folder_ / "store", {}, world()); }
  SharedFolder folder_;
};

TEST_F(DataParallel, EqualsSerialTraining) {
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  configuration.epochs = 3;  // 18 images: batches of 8, 8 and 2
  compare_with_serial(configuration, folder_);
}

TEST_F(DataParallel, AccumulationEqualsWholeBatches) {
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  configuration.accumulate = 2;
  compare_with_serial(configuration, folder_);
}

TEST_F(DataParallel, ValidationIsExactAtAnyNumberOfRanks) {
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  configuration.steps = 0;
  Recorder recorder;
  train(configuration, world(), recorder);
  if (world().rank() != 0) return;
  ASSERT_EQ(recorder.validations.size(), 1U);
  EXPECT_EQ(recorder.validations[0].samples, 7);
  // Three classes at the start: about ln 3, and every one is among the first five.
  EXPECT_NEAR(recorder.validations[0].loss, std::log(3.0), 0.2);
  EXPECT_EQ(recorder.validations[0].top5, 1);
  const double counted = recorder.validations[0].top1 * 7;
  EXPECT_NEAR(counted, std::round(counted), 1e-9);
}

}  // namespace
}  // namespace convoy::test
