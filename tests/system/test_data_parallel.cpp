// Data-parallel training is serial training: the trainer on this test's ranks against a plain loop on one
// replica that sees every global batch whole. Dropout, random crops, an uneven share and a last batch smaller
// than the number of ranks are part of it.
#include <gtest/gtest.h>

#include <cmath>

#include "support/mpi_test.hpp"
#include "system/serial_run.hpp"
#include "system/tiny_run.hpp"
#include "train/resolved_run.hpp"

namespace convoy::test {
namespace {

void compare_with_serial(const TrainConfiguration& configuration) {
  const ResolvedRun setup = resolve_run(configuration, world());
  Recorder recorder;
  const TrainingResult result = train(configuration, world(), recorder);
  EXPECT_EQ(result.code, ExitCode::done);
  EXPECT_EQ(result.step, setup.length.last_step);
  world().on_rank_zero([&] {
    const SerialRun serial = train_serially(setup);
    EXPECT_EQ(recorder.steps.size(), serial.losses.size());
    // Sums in another order differ in the last bits of a float, and training spreads that: 1e-3 as promised.
    for (std::size_t i = 0; i < std::min(recorder.steps.size(), serial.losses.size()); ++i)
      EXPECT_NEAR(recorder.steps[i].loss / serial.losses[i], 1, 1e-3) << "step " << i + 1;
    const Checkpoint checkpoint = load(configuration.output, setup.length.last_step, configuration);
    const double moved = distance(serial.first, serial.last);
    EXPECT_GT(moved, 0.01);
    // Against the way the weights went, so that a wrong scale or a lost part of a batch shows.
    EXPECT_LT(distance(checkpoint.parameters, serial.last), 1e-3 * moved);
    return std::string();
  });
}

class DataParallel : public testing::Test {
 protected:
  DataParallel() : folder_(world()) { write_tiny_store(folder_ / "store", {}, world()); }
  SharedFolder folder_;
};

TEST_F(DataParallel, EqualsSerialTraining) {
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  configuration.epochs = 3;  // 18 images: batches of 8, 8 and 2
  compare_with_serial(configuration);
}

TEST_F(DataParallel, AccumulationEqualsWholeBatches) {
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  configuration.accumulate = 2;
  compare_with_serial(configuration);
}

TEST_F(DataParallel, GoesOnFromACheckpointOfOneRank) {
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  const ResolvedRun setup = resolve_run(configuration, world());
  constexpr std::int64_t middle = 2;  // of an epoch of three steps
  SerialRun serial;
  world().on_rank_zero([&] {
    serial = train_serially(setup, middle);
    std::filesystem::create_directories(folder_ / "run" / "checkpoints");
    write_checkpoint(folder_ / "run" / "checkpoints" / checkpoint_name(middle), ParameterTable(setup.network),
                     serial.kept);
    return std::string();
  });
  configuration.resume = "auto";
  Recorder recorder;
  EXPECT_EQ(train(configuration, world(), recorder).step, 6);
  if (world().rank() != 0) return;
  ASSERT_EQ(recorder.steps.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_NEAR(recorder.steps[i].loss / serial.losses[i + middle], 1, 1e-3) << "step " << i + middle + 1;
  const Checkpoint checkpoint = load(configuration.output, 6, configuration);
  EXPECT_LT(distance(checkpoint.parameters, serial.last), 1e-3 * distance(serial.first, serial.last));
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
