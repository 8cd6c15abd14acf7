// The CUDA replica's own promises: buffers in any order of the engine, results in order however late they are
// taken, steps that overflow, the loss scale, what it refuses.
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "engine/cuda/replica_steps.hpp"
#include "engine/flat_buffers.hpp"

namespace convoy::test {
namespace {

class CudaReplicaOf : public OnAGpu, public testing::WithParamInterface<Precision> {
 protected:
  void SetUp() override {
    OnAGpu::SetUp();
    if (IsSkipped()) return;
    const std::string refusal = precision_refusal(DeviceKind::cuda, GetParam());
    if (!refusal.empty()) GTEST_SKIP() << refusal;
  }
};

std::string name_of(const testing::TestParamInfo<Precision>& each) {
  constexpr const char* names[] = {"fp32", "tf32", "bf16", "fp16"};
  return names[static_cast<int>(each.param)];
}
INSTANTIATE_TEST_SUITE_P(Precisions, CudaReplicaOf,
                         testing::Values(Precision::fp32, Precision::tf32, Precision::bf16, Precision::fp16),
                         name_of);

TEST_P(CudaReplicaOf, BuffersComeBackAsTheyWereWritten) {
  ReplicaSteps steps({.precision = GetParam(), .rule = OptimizerRule::adam});
  // Written before the program was compiled, which may have reordered them.
  EXPECT_EQ(steps.read_parameters(), random_parameters(steps.replica().table(), 5));
  std::uint64_t seed = 20;
  for (const FlatBuffer& buffer : flat_buffers(steps.replica(), 2)) {
    const std::vector<float> values = random_parameters(steps.replica().table(), ++seed);
    std::vector<float> found(values.size());
    buffer.write(values);
    buffer.read(found);
    EXPECT_EQ(found, values) << buffer.name;
  }
}

TEST_P(CudaReplicaOf, ResultsComeInOrderHoweverLateTheyAreTaken) {
  constexpr int count = 9;  // more than the ring has places
  std::vector<StepResult> at_once, late;
  std::vector<float> parameters;
  {
    ReplicaSteps steps({.precision = GetParam()});
    for (int number = 1; number <= count; ++number) {
      steps.step(number);
      at_once.push_back(steps.take());
    }
    parameters = steps.read_parameters();
  }
  ReplicaSteps steps({.precision = GetParam()});
  for (int number = 1; number <= count; ++number) steps.step(number);
  for (int number = 1; number <= count; ++number) late.push_back(steps.take());
  EXPECT_EQ(steps.read_parameters(), parameters);
  for (std::size_t i = 0; i < count; ++i) {
    EXPECT_EQ(at_once[i].metrics.loss, late[i].metrics.loss) << i;
    EXPECT_EQ(at_once[i].metrics.samples, late[i].metrics.samples) << i;
    if (late[i].update.finite) {
      EXPECT_EQ(at_once[i].update.gradient_norm, late[i].update.gradient_norm) << i;
    }
    EXPECT_EQ(late[i].metrics.samples, (i + 1) % 4 == 3 ? ReplicaSteps::batch - 1 : ReplicaSteps::batch);
    EXPECT_GT(late[i].metrics.loss, 0);
    EXPECT_EQ(late[i].update.finite, at_once[i].update.finite) << i;
    EXPECT_EQ(late[i].loss_scale, at_once[i].loss_scale) << i;
    // In fp16 the first steps may overflow until the loss scale fits.
    EXPECT_TRUE(late[i].update.finite || GetParam() == Precision::fp16) << i;
  }
  EXPECT_TRUE(late.back().update.finite);
  EXPECT_GT(late.back().update.gradient_norm, 0);
  EXPECT_THROW(steps.take(), Error);
}

TEST_P(CudaReplicaOf, ANonFiniteGradientChangesNothingWhereTheLossIsScaled) {
  if (GetParam() != Precision::fp16) GTEST_SKIP() << "it ends training: test_engine_update";
  ReplicaSteps steps({.precision = GetParam(), .rule = OptimizerRule::adam});
  std::vector<float> gradients = random_parameters(steps.replica().table(), 31);
  ASSERT_TRUE(steps.update_with(gradients).finite);
  const std::vector<float> parameters = steps.read_parameters();
  const std::vector<float> first = steps.read_slot(0), second = steps.read_slot(1);
  for (const float bad : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
    for (const std::size_t where : {std::size_t{0}, gradients.size() / 3}) {
      const float good = std::exchange(gradients[where], bad);
      EXPECT_FALSE(steps.update_with(gradients).finite);
      gradients[where] = good;
    }
  }
  EXPECT_EQ(steps.read_parameters(), parameters);
  EXPECT_EQ(steps.read_slot(0), first);
  EXPECT_EQ(steps.read_slot(1), second);
  // The sums of the bad gradients are gone.
  EXPECT_TRUE(steps.update_with(gradients).finite);
  EXPECT_NE(steps.read_parameters(), parameters);
}

TEST_P(CudaReplicaOf, TheNormIsThatOfTheGradientWithoutLossScale) {
  ReplicaSteps steps({.precision = GetParam()});
  const std::vector<float> gradients = random_parameters(steps.replica().table(), 33);
  double squares = 0;
  for (const float value : gradients) squares += double{value} * double{value};
  const double expected = std::sqrt(squares) / steps.replica().loss_scale().scale;
  // Both sums are taken in double; only their order differs.
  EXPECT_NEAR(steps.update_with(gradients).gradient_norm, expected, 1e-10 * expected);
}

TEST_P(CudaReplicaOf, TimesOfPhasesAreMeasured) {
  ReplicaSteps steps({.precision = GetParam()});
  for (int number = 1; number <= 7; ++number) {
    steps.step(number);
    const PhaseSeconds seconds = steps.take().seconds;
    EXPECT_GT(seconds.forward, 0);
    EXPECT_GT(seconds.backward, 0);
    EXPECT_GT(seconds.exposed, 0);
    EXPECT_GT(seconds.update, 0);
    EXPECT_LT(seconds.forward + seconds.backward + seconds.exposed + seconds.update, 60);
  }
}

class CudaReplica : public OnAGpu {};

// Only a dynamic loss scale has to see all gradients before it decides about any.
TEST_F(CudaReplica, UpdatesEarlyWithoutALossScale) {
  EXPECT_TRUE(ReplicaSteps({.precision = Precision::bf16}).replica().updates_early());
  EXPECT_FALSE(ReplicaSteps({.precision = Precision::fp16}).replica().updates_early());
  ReplicaSteps behind({.precision = Precision::bf16, .early_elements = TrainingOptions::updates_at_once});
  EXPECT_FALSE(behind.replica().updates_early());
}

TEST_F(CudaReplica, LossScaleOfOtherPrecisionsIsOne) {
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    ReplicaSteps steps({.precision = precision});
    steps.step(1);
    EXPECT_EQ(steps.take().loss_scale, 1);
    EXPECT_EQ(steps.replica().loss_scale().scale, 1);
  }
}

TEST_F(CudaReplica, LossScaleIsHalvedByOverflowAndDoubledByGoodSteps) {
  ReplicaSteps steps({.precision = Precision::fp16});
  EXPECT_EQ(steps.replica().loss_scale().scale, LossScale::first);
  std::vector<float> gradients = random_parameters(steps.replica().table(), 31);
  const std::vector<float> parameters = steps.read_parameters();
  gradients[7] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(steps.update_with(gradients).finite);
  EXPECT_EQ(steps.replica().loss_scale().scale, LossScale::first / 2);
  EXPECT_EQ(steps.replica().loss_scale().good_steps, 0);
  EXPECT_EQ(steps.read_parameters(), parameters);

  steps.replica().set_loss_scale({.scale = 1024, .good_steps = LossScale::growth_interval - 2});
  steps.step(1);
  EXPECT_EQ(steps.take().loss_scale, 1024);
  EXPECT_EQ(steps.replica().loss_scale().scale, 1024);
  EXPECT_EQ(steps.replica().loss_scale().good_steps, LossScale::growth_interval - 1);
  steps.step(2);
  EXPECT_EQ(steps.take().loss_scale, 1024);
  EXPECT_EQ(steps.replica().loss_scale().scale, 2048);
  EXPECT_EQ(steps.replica().loss_scale().good_steps, 0);
}

TEST_F(CudaReplica, TheFirstLossScaleMayBeSetBeforeTheProgram) {
  const NetSpec spec = narrow(make_network("alexnet-mini"), 8, 10);
  ReplicaOptions options;
  options.device = DeviceKind::cuda;
  const auto replica = make_training_replica(spec, test_input(spec, 72), options);
  replica->set_loss_scale({.scale = 4096, .good_steps = 17});
  const auto program = replica->compile({.batch = 2, .mode = Mode::training, .precision = Precision::fp16});
  EXPECT_EQ(replica->loss_scale().scale, 4096);
  EXPECT_EQ(replica->loss_scale().good_steps, 17);
}

TEST_F(CudaReplica, ProgramsOfOneReplicaKeepFiltersInOneOrder) {
  ReplicaSteps steps({.precision = Precision::bf16});
  const ProgramOptions other{.batch = 2, .mode = Mode::evaluation, .precision = Precision::fp32};
  try {
    const auto program = steps.replica().compile(other);
    FAIL() << "a program of another layout was compiled";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::usage);
  }
  const auto same =
      steps.replica().compile({.batch = 2, .mode = Mode::evaluation, .precision = Precision::fp16});
  EXPECT_NE(same, nullptr);
}

TEST_F(CudaReplica, LayoutChangesWhenNoProgramIsLeft) {
  const NetSpec spec = narrow(make_network("alexnet-mini"), 8, 10);
  const InputSpec input = test_input(spec, 72);
  ReplicaOptions options;
  options.device = DeviceKind::cuda;
  const auto replica = make_replica(spec, input, options);
  const std::vector<float> values = random_parameters(replica->table(), 5);
  replica->write_parameters(values);
  for (const Precision precision : {Precision::bf16, Precision::fp32, Precision::tf32}) {
    const auto program = replica->compile({.batch = 2, .mode = Mode::evaluation, .precision = precision});
    std::vector<float> back(values.size());
    replica->read_parameters(back);
    EXPECT_EQ(back, values);
  }
}

TEST_F(CudaReplica, InferenceHasNoTrainingPrograms) {
  const NetSpec spec = narrow(make_network("alexnet-mini"), 8, 10);
  ReplicaOptions options;
  options.device = DeviceKind::cuda;
  const auto replica = make_replica(spec, test_input(spec, 72), options);
  EXPECT_THROW(replica->compile({.batch = 2, .mode = Mode::training}), Error);
}

TEST_F(CudaReplica, AnUpdateStagedAgainTakesTheLastNumbers) {
  ReplicaSteps steps({.precision = Precision::fp32});
  const std::vector<float> before = steps.read_parameters();
  const std::vector<float> gradients(before.size(), 1.0F);
  const std::vector<TensorRate> still(steps.replica().table().parameters().size(), TensorRate{0, 0});
  const std::vector<TensorRate> fast(still.size(), TensorRate{1, 0});
  steps.replica().write_gradients(gradients);
  steps.replica().stage_update({.number = 1, .inverse_loss_scale = 1, .rates = fast});
  steps.replica().stage_update({.number = 1, .inverse_loss_scale = 1, .rates = still});
  steps.replica().apply_update();
  EXPECT_TRUE(steps.take().update.finite);
  EXPECT_EQ(steps.read_parameters(), before);
}

TEST_F(CudaReplica, TransferMemoryIsForEveryContainer) {
  ReplicaSteps steps({});
  std::pmr::vector<std::uint8_t> bytes(1000, &steps.replica().transfer_memory());
  bytes.assign(100000, 3);
  EXPECT_EQ(bytes.back(), 3);
}

}  // namespace
}  // namespace convoy::test
