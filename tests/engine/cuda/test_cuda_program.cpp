// What a program for a GPU does beside computing: fused and plain operations, algorithms that are measured,
// agreed on or refused, memory that does not suffice, batches in flight, and GPUs other than the first.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "device/cuda/stream.hpp"
#include "device/cuda_devices.hpp"
#include "engine/cuda/cuda_program.hpp"
#include "engine/cuda/cuda_state.hpp"
#include "engine/engine_under_test.hpp"

namespace convoy::test {
namespace {

std::vector<Target> gpu_targets() {
  std::vector<Target> targets = available_targets();
  std::erase_if(targets, [](const Target& target) { return target.device != DeviceKind::cuda; });
  return targets;
}

class CudaPrograms : public testing::TestWithParam<Target> {
 protected:
  CudaPrograms() {
    spec_.name = "chains";
    spec_.input = {3, 23, 23};
    spec_.layers = {Convolution{"conv1", 16, 3, 1, {1, 1}},
                    Relu{},
                    LocalResponseNormalisation{5, 2, 0.5F, 0.75F},
                    MaxPool{3, 2, {0, 0}},
                    Convolution{"conv2", 24, 3, 1, {0, 1}},
                    Relu{},
                    MaxPool{3, 2, {0, 0}},
                    Dropout{0.5},
                    FullyConnected{"fc8", 7}};
    input_ = test_input(spec_, 25);
    batch_ = random_batch(input_, 7, 4, TransformKind::crop_and_mirror, 11);
  }

  ReplicaOptions options() const {
    ReplicaOptions result;
    result.device = DeviceKind::cuda;
    return result;
  }

  // Gradients of one pass, unscaled.
  std::vector<float> gradients(TrainingReplica& replica, Program& program) const {
    program.forward(batch_.view(), context_);
    program.backward(false, {});
    std::vector<float> result(replica.table().size());
    replica.read_gradients(result);
    return result;
  }

  std::unique_ptr<TrainingReplica> replica(const ReplicaOptions& wanted) const {
    auto result = make_training_replica(spec_, input_, wanted);
    result->set_loss_scale({.scale = 1});
    result->write_parameters(random_parameters(result->table(), 5));
    return result;
  }

  ProgramOptions shape() const { return {.batch = 4, .precision = GetParam().precision}; }

  // `found`: gradients of `program`, whose own activations decide which maximum won: tensor cores may cut
  // tf32's operands off where the reference rounds them.
  void expect_gradients(const Program& program, const std::vector<float>& found,
                        int fused_channels = 8) const {
    EngineUnderTest engine(GetParam(), spec_, input_);
    ReferenceNetwork& reference = engine.reference();
    reference.fuse_normalisation_and_pool(fused_channels);
    reference.forward(batch_.view(), Mode::training, context_);
    adopt_activations(engine, program);
    reference.backward(context_.gradient_scale, false);
    for (const Parameter& parameter : reference.table().parameters()) {
      EXPECT_LE(
          relative_error(
              std::span(found).subspan(parameter.offset, parameter.elements),
              std::span<const double>(reference.gradients()).subspan(parameter.offset, parameter.elements)),
          engine.tolerance().backward)
          << parameter.path();
    }
  }

  void expect_probabilities(const ReplicaOptions& wanted) const {
    EngineUnderTest engine(GetParam(), spec_, input_);
    engine.reference().forward(batch_.view(), Mode::training, context_);
    const std::vector<double> right = engine.reference().probabilities();
    const auto own = replica(wanted);
    const auto program = own->compile(shape());
    program->forward(batch_.view(), context_);
    std::vector<float> found(right.size());
    program->read_probabilities(found);
    EXPECT_LE(relative_error(found, right), 2 * 4 * engine.tolerance().forward)
        << "two roundings a convolution";
  }

  // `fused`: whether bias and ReLU are in the convolutions' own calls. In 16 bits the sum before the bias is
  // rounded too where they are not, and maxima of the next pool switch: scores are alike, gradients need not
  // be.
  void expect_as_the_reference(const ReplicaOptions& wanted, bool fused = true) const {
    if (!fused && cuda::element_of(GetParam().precision) != cuda::Element::float32)
      return expect_probabilities(wanted);
    const auto own = replica(wanted);
    const auto program = own->compile(shape());
    const std::vector<float> found = gradients(*own, *program);
    expect_gradients(*program, found);
  }

  NetSpec spec_;
  InputSpec input_;
  TestBatch batch_;
  // Large enough for fp16 without a loss scale.
  PassContext context_{1234, 3, 64.0};
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CudaPrograms);
INSTANTIATE_TEST_SUITE_P(All, CudaPrograms, testing::ValuesIn(gpu_targets()),
                         [](const auto& each) { return each.param.name(); });

// The program's own switch: the fused kernels and the operations that they replace.
TEST_P(CudaPrograms, FusedAndPlainPoolsAreAsTheReference) {
  const Precision precision = GetParam().precision;
  for (const bool fused : {false, true}) {
    SCOPED_TRACE(fused);
    cuda::CudaState state(spec_, input_, options(), OptimizerRule::sgd);
    state.use_layout(cuda::layout_of(precision));
    state.write(state.parameters, random_parameters(state.table, 5));
    state.need_copy(cuda::element_of(precision));
    cuda::ProgramResources resources = state.resources(precision);
    resources.fused_pool = fused;
    cuda::CudaProgram program(resources, {.batch = 4, .precision = precision});
    program.forward(batch_.view(), context_);
    program.backward(false, {});
    std::vector<float> found(state.table.size());
    state.read(state.gradients, found);
    expect_gradients(program, found, fused ? 8 : 0);
  }
}

TEST_P(CudaPrograms, MeasuredAlgorithmsAreAsTheReference) {
  ReplicaOptions given = options();
  given.deterministic = false;
  expect_as_the_reference(given, false);
}

TEST_P(CudaPrograms, RankZerosAlgorithmsAreTaken) {
  ReplicaOptions agreeing = options();
  std::vector<std::string> asked;
  agreeing.agree = [&](const std::string& mine) { return asked.emplace_back(mine); };
  replica(agreeing)->compile(shape());
  ASSERT_EQ(asked.size(), 5U) << "conv1 forward and weights, conv2 forward, inputs and weights";

  // Rank 0 found that bias and ReLU are not to be had in one call.
  std::vector<std::string> answers = asked;
  for (std::string& answer : answers) {
    const std::size_t fused = answer.find(", fused");
    if (fused != std::string::npos) answer.resize(fused);
  }
  agreeing.leads = false;
  std::size_t question = 0;
  agreeing.agree = [&](const std::string&) { return answers.at(question++); };
  expect_as_the_reference(agreeing, false);
  EXPECT_EQ(question, answers.size());
}

TEST_P(CudaPrograms, AnAlgorithmThatDoesNotExistHereIsRefused) {
  ReplicaOptions agreeing = options();
  agreeing.agree = [](const std::string&) { return std::string("1 2 3"); };
  try {
    replica(agreeing)->compile(shape());
    FAIL() << "took an algorithm that does not exist";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::device);
    EXPECT_NE(std::string(error.what()).find("conv1"), std::string::npos) << error.what();
  }
}

TEST_P(CudaPrograms, TooLargeABatchSaysWhichWouldFit) {
  // 64 × 1024 images of 3 MB, twice: more than any GPU has, but no map beyond what a library can describe.
  const auto replica = make_training_replica(spec_, test_input(spec_, 1024), options());
  try {
    replica->compile({.batch = 64, .precision = GetParam().precision, .micro_batches = 1024});
    FAIL() << "made a program for 400 GB of images";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::device);
    EXPECT_NE(std::string(error.what()).find("a batch of about "), std::string::npos) << error.what();
  }
  // And the device is as good as before.
  const auto program = replica->compile({.batch = 1, .precision = GetParam().precision});
  EXPECT_NE(program, nullptr);
}

// Steps that are staged while earlier ones are still to be computed: nothing waits for the device in between,
// and every step has its own images, labels and numbers.
TEST_P(CudaPrograms, StagedStepsDoNotMix) {
  const auto replica = make_training_replica(spec_, input_, options());
  replica->set_loss_scale({.scale = 1});
  replica->write_parameters(random_parameters(replica->table(), 5));
  const ProgramOptions shape{.batch = 4, .precision = GetParam().precision, .micro_batches = 2};
  const auto apart = replica->compile(shape), together = replica->compile(shape);
  constexpr int steps = 6;
  std::vector<TestBatch> batches;
  std::vector<float> sum(replica->table().size()), found(sum.size());
  for (int i = 0; i < 2 * steps; ++i) {
    batches.push_back(random_batch(input_, 7, 1 + i % 4, TransformKind::crop_and_mirror, 100 + i));
  }
  const auto run = [&](Program& program, bool waits) {
    for (int step = 0; step < steps; ++step) {
      for (int micro = 0; micro < 2; ++micro) {
        PassContext context = context_;
        context.step = step;
        context.gradient_scale = 8 + step;
        program.stage(micro, batches[static_cast<std::size_t>(2 * step + micro)].view(), context);
      }
      for (int micro = 0; micro < 2; ++micro) {
        program.forward_staged(micro);
        program.backward(step + micro > 0, {});
        if (waits) replica->synchronise();
      }
    }
    std::vector<float> result(replica->table().size());
    replica->read_gradients(result);
    return result;
  };
  const std::vector<float> expected = run(*apart, true);
  EXPECT_EQ(run(*together, false), expected);
}

TEST_P(CudaPrograms, EveryGpuComputesTheSame) {
  const int count = static_cast<int>(find_cuda_devices().devices.size());
  if (count < 2) GTEST_SKIP() << "this machine has one GPU";
  ReplicaOptions second = options();
  second.device_index = count - 1;
  // Both at once in one thread: every call must make its own device current.
  std::vector<std::unique_ptr<TrainingReplica>> replicas;
  std::vector<std::unique_ptr<Program>> programs;
  for (const ReplicaOptions& each : {options(), second}) {
    replicas.push_back(make_training_replica(spec_, input_, each));
    replicas.back()->set_loss_scale({.scale = 1});
    replicas.back()->write_parameters(random_parameters(replicas.back()->table(), 5));
  }
  for (const auto& replica : replicas) {
    programs.push_back(replica->compile({.batch = 4, .precision = GetParam().precision}));
  }
  for (const auto& program : programs) program->stage(0, batch_.view(), context_);
  for (const auto& program : programs) program->forward_staged(0);
  for (const auto& program : programs) program->backward(false, {});
  EXPECT_EQ(programs[0]->metrics().loss, programs[1]->metrics().loss);
  std::vector<float> first(replicas[0]->table().size()), last(first.size());
  replicas[0]->read_gradients(first);
  replicas[1]->read_gradients(last);
  EXPECT_EQ(first, last);
  programs.erase(programs.begin());  // in the other order than they were made
  replicas.erase(replicas.begin());
}

// A copy with 8 channels a pixel, as tensor cores take it, must fit whatever the batch.
TEST(ConvolutionWorkspace, HoldsAnInputPaddedForTensorCores) {
  const std::string refusal = device_refusal(DeviceKind::cuda);
  if (!refusal.empty()) GTEST_SKIP() << refusal;
  const cuda::Stream stream = cuda::make_stream();
  const cuda::Libraries libraries(stream.get());
  for (const int rows : {1, 128, 1024}) {
    const auto map = [&](int channels, int side) {
      return cuda::MapShape{rows, channels, side, side, cuda::Layout::channels_last, cuda::Element::bfloat16};
    };
    const cuda::LibraryConvolution conv1(
        libraries, "conv1", {.input = map(3, 227), .output = map(96, 55), .kernel = 11, .stride = 4},
        Precision::bf16, true);
    EXPECT_GE(conv1.workspace_limit(), map(8, 227).bytes() + map(96, 55).bytes()) << rows;
  }
}

TEST(CudaProgramTargets, AreThere) {
  const std::string refusal = device_refusal(DeviceKind::cuda);
  if (!refusal.empty()) GTEST_SKIP() << refusal;
  EXPECT_FALSE(gpu_targets().empty());
}

}  // namespace
}  // namespace convoy::test
