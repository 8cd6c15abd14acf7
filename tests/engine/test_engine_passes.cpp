// What a Replica and its Programs promise beside arithmetic: accumulation, absent rows, dropout's bits,
// readiness of gradients, counts, copies in and out, determinism.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "engine/engine_under_test.hpp"
#include "engine/flat_buffers.hpp"
#include "model/networks.hpp"
#include "reference/narrow.hpp"

namespace convoy::test {
namespace {

class EnginePasses : public testing::TestWithParam<Target> {
 protected:
  NetSpec spec_ = narrow(make_network("alexnet-mini"), 4, 10);
  InputSpec input_ = test_input(spec_, 72);
  TestBatch batch_ = random_batch(input_, 10, 6, TransformKind::crop_and_mirror, 41);
  PassContext context_{99, 4, 1.0 / 6};

  std::vector<float> probabilities(const Program& program, int rows) const {
    std::vector<float> result(static_cast<std::size_t>(rows) * 10);
    program.read_probabilities(result);
    return result;
  }
};

INSTANTIATE_TEST_SUITE_P(All, EnginePasses, testing::ValuesIn(available_targets()),
                         [](const auto& each) { return each.param.name(); });

TEST_P(EnginePasses, MicroBatchesAddUp) {
  EngineUnderTest engine(GetParam(), spec_, input_);
  const auto program = engine.compile(4);
  for (const auto& [begin, count] : {std::pair{0, 4}, std::pair{4, 2}}) {
    const TestBatch part = batch_.part(begin, count);
    expect_same_forward(engine, *program, part, Mode::training, context_);
    expect_same_backward(engine, *program, context_, begin > 0);
  }
  // The sum of both parts is the gradient of the whole batch, for which the reference decides by itself.
  engine.reference().forward(batch_.view(), Mode::training, context_);
  engine.reference().backward(context_.gradient_scale, false);
  expect_same_gradients(engine, engine.tolerance().switched);
}

TEST_P(EnginePasses, StoredGradientsReplaceOldOnes) {
  EngineUnderTest engine(GetParam(), spec_, input_);
  const auto program = engine.compile(6);
  engine.replica().write_gradients(random_parameters(engine.replica().table(), 8));
  expect_same_forward(engine, *program, batch_, Mode::training, context_);
  expect_same_backward(engine, *program, context_, false);
}

TEST_P(EnginePasses, AbsentRowsCountNowhere) {
  EngineUnderTest engine(GetParam(), spec_, input_);
  for (const bool used_before : {false, true}) {
    SCOPED_TRACE(used_before);
    const auto program = engine.compile(6);
    if (used_before) program->forward(batch_.view(), context_);
    for (const int rows : {1, 5}) {
      SCOPED_TRACE(rows);
      const TestBatch part = batch_.part(1, rows);
      expect_same_forward(engine, *program, part, Mode::training, context_);
      expect_same_backward(engine, *program, context_);
    }
  }
}

TEST_P(EnginePasses, ABatchOfNoRowsIsNothing) {
  EngineUnderTest engine(GetParam(), spec_, input_);
  const auto program = engine.compile(6);
  program->forward(batch_.view(), context_);
  program->backward(false, [](std::size_t) {});
  const std::vector<float> before = engine.read_gradients();
  const TestBatch nothing;
  program->forward(nothing.view(), context_);
  EXPECT_EQ(program->metrics().samples, 0);
  EXPECT_EQ(program->metrics().loss, 0);
  EXPECT_EQ(program->metrics().top5, 0);
  program->backward(true, [](std::size_t) {});
  EXPECT_EQ(engine.read_gradients(), before);
  program->forward(nothing.view(), context_);
  program->backward(false, [](std::size_t) {});
  for (const float gradient : engine.read_gradients()) ASSERT_EQ(gradient, 0);
}

TEST_P(EnginePasses, DropoutIsNamedByPositionStepAndSeed) {
  EngineUnderTest engine(GetParam(), spec_, input_);
  const auto program = engine.compile(6);
  program->forward(batch_.view(), context_);
  const std::vector<float> original = probabilities(*program, 6);

  const auto expect_other_masks = [&](const TestBatch& batch, const PassContext& context) {
    expect_same_forward(engine, *program, batch, Mode::training, context);
    EXPECT_NE(probabilities(*program, 6), original);
  };
  TestBatch moved = batch_;
  moved.first_position = 100000;
  expect_other_masks(moved, context_);
  PassContext later = context_;
  later.step = 5;
  expect_other_masks(batch_, later);
  later.step = (std::int64_t{3} << 32) + 4;  // the high half counts too
  expect_other_masks(batch_, later);
  PassContext other_seed = context_;
  other_seed.seed += std::uint64_t{1} << 32;
  expect_other_masks(batch_, other_seed);

  // A sample's mask does not depend on the row it stands in.
  program->forward(batch_.part(2, 4).view(), context_);
  const std::vector<float> part = probabilities(*program, 4);
  for (std::size_t i = 0; i < part.size(); ++i) {
    EXPECT_NEAR(part[i], original[20 + i], engine.tolerance().forward);
  }
}

TEST_P(EnginePasses, EvaluationDropsNothing) {
  EngineUnderTest engine(GetParam(), spec_, input_);
  const auto program = engine.compile(6, Mode::evaluation);
  expect_same_forward(engine, *program, batch_, Mode::evaluation, context_);
  const std::vector<float> first = probabilities(*program, 6);
  PassContext later = context_;
  later.step = 1000;
  program->forward(batch_.view(), later);
  EXPECT_EQ(probabilities(*program, 6), first);
}

TEST_P(EnginePasses, EvaluationNeedsNoTrainingMemory) {
  ReplicaOptions options;
  options.device = GetParam().device;
  options.threads = 1;
  const auto replica = make_replica(spec_, input_, options);
  EngineUnderTest engine(GetParam(), spec_, input_);
  replica->write_parameters(engine.read_parameters());
  const auto program = replica->compile({6, Mode::evaluation, GetParam().precision});
  expect_same_forward(engine, *program, batch_, Mode::evaluation, context_);
}

TEST_P(EnginePasses, ReadsActivationsOfPartialBatchesAndLaterPasses) {
  EngineUnderTest engine(GetParam(), spec_, input_);
  const auto program = engine.compile(6, Mode::evaluation);
  for (const TestBatch& batch : {batch_, batch_.part(3, 2)}) {
    program->forward(batch.view(), context_);
    engine.reference().forward(batch.view(), Mode::evaluation, context_);
    const BatchMetrics before = program->metrics();
    for (const int layer : {0, 2, 9, static_cast<int>(spec_.layers.size()) - 1}) {
      const Tensor& expected = engine.reference().activation(layer);
      std::vector<float> found(expected.values.size());
      program->read_activation(layer, found);
      EXPECT_LE(relative_error(found, expected.values), engine.tolerance().forward) << layer;
    }
    EXPECT_EQ(program->metrics().loss, before.loss);
    EXPECT_EQ(program->metrics().samples, before.samples);
  }
}

TEST_P(EnginePasses, ReadyGradientsAreFinal) {
  EngineUnderTest engine(GetParam(), spec_, input_);
  const auto program = engine.compile(6);
  const bool host_memory = engine.replica().device_name() == "cpu";
  for (const bool add : {false, true}) {
    SCOPED_TRACE(add);
    program->forward(batch_.view(), context_);
    std::vector<std::size_t> ends;
    std::vector<float> seen;
    program->backward(add, [&](std::size_t end) {
      ASSERT_LE(end, engine.replica().table().size());
      ends.push_back(end);
      if (!host_memory) return;
      const std::span<float> gradients = engine.replica().gradient_memory();
      const auto begin = static_cast<std::ptrdiff_t>(seen.size());
      seen.insert(seen.end(), gradients.begin() + begin,
                  gradients.begin() + static_cast<std::ptrdiff_t>(end));
    });
    ASSERT_FALSE(ends.empty());
    EXPECT_TRUE(std::is_sorted(ends.begin(), ends.end()));
    EXPECT_EQ(ends.back(), engine.replica().table().size());
    // fc8 is announced before anything else is finished, so that its reduction can start.
    EXPECT_LE(ends.front(), engine.replica().table().parameters()[2].offset);
    EXPECT_GE(ends.size(), 8U);
    if (host_memory) {
      EXPECT_EQ(seen, engine.read_gradients());
    }
  }
}

TEST_P(EnginePasses, EqualScoresRankByClass) {
  NetSpec spec;
  spec.name = "scores";
  spec.input = {3, 4, 4};
  spec.layers = {FullyConnected{"fc8", 7}};
  const InputSpec input = test_input(spec, 4);
  EngineUnderTest engine(GetParam(), spec, input);
  std::vector<float> values(engine.replica().table().size());
  const std::size_t bias = engine.replica().table().find("fc8", ParameterKind::bias).offset;
  for (std::size_t c = 0; c < 3; ++c) values[bias + c] = 1;  // scores 1 1 1 0 0 0 0
  engine.set_parameters(values);
  TestBatch batch = random_batch(input, 7, 7, TransformKind::centre, 3);
  batch.labels = {0, 1, 2, 3, 4, 5, 6};
  for (const Mode mode : {Mode::training, Mode::evaluation}) {
    const auto program = engine.compile(7, mode);
    expect_same_forward(engine, *program, batch, mode, context_);
    EXPECT_EQ(program->metrics().top1, 1);
    EXPECT_EQ(program->metrics().top5, 5);
  }
}

TEST_P(EnginePasses, ExtremeScoresKeepTheLossFinite) {
  NetSpec spec;
  spec.name = "scores";
  spec.input = {3, 4, 4};
  spec.layers = {FullyConnected{"fc8", 3}};
  const InputSpec input = test_input(spec, 4);
  EngineUnderTest engine(GetParam(), spec, input);
  std::vector<float> values(engine.replica().table().size());
  const std::size_t bias = engine.replica().table().find("fc8", ParameterKind::bias).offset;
  values[bias] = 512;
  values[bias + 1] = -512;
  engine.set_parameters(values);
  TestBatch batch = random_batch(input, 3, 3, TransformKind::centre, 3);
  batch.labels = {0, 1, 2};
  const auto program = engine.compile(3);
  program->forward(batch.view(), context_);
  EXPECT_NEAR(program->metrics().loss, 0 + 1024 + 512, 1e-3);
  program->backward(false, [](std::size_t) {});
  for (const float gradient : engine.read_gradients()) ASSERT_TRUE(std::isfinite(gradient));
}

TEST_P(EnginePasses, ABrokenNetworkShowsInItsLoss) {
  EngineUnderTest engine(GetParam(), spec_, input_);
  std::vector<float> values = engine.read_parameters();
  values[engine.replica().table().find("fc8", ParameterKind::bias).offset + 1] = NAN;
  engine.replica().write_parameters(values);
  const auto program = engine.compile(6);
  program->forward(batch_.view(), context_);
  EXPECT_FALSE(std::isfinite(program->metrics().loss));
}

TEST_P(EnginePasses, SlotsKeepWhatIsWritten) {
  OptimizerSettings adam;
  adam.rule = OptimizerRule::adam;
  EngineUnderTest engine(GetParam(), spec_, input_, adam);
  std::uint64_t seed = 50;
  for (const FlatBuffer& buffer : flat_buffers(engine.replica(), 2)) {
    const std::vector<float> values = random_parameters(engine.replica().table(), seed++);
    std::vector<float> found(values.size(), -1);
    buffer.write(values);
    buffer.read(found);
    EXPECT_EQ(found, values) << buffer.name;
  }
  EngineUnderTest sgd(GetParam(), spec_, input_);
  for (const float value : sgd.read_slot(0)) ASSERT_EQ(value, 0) << "slots start at zero";
  try {
    sgd.read_slot(1);
    FAIL() << "SGD has no second slot";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::bug);
  }
}

TEST_P(EnginePasses, ProgramsSeeNewParameters) {
  EngineUnderTest engine(GetParam(), spec_, input_);
  const auto training = engine.compile(6), smaller = engine.compile(2);
  const auto evaluation = engine.compile(6, Mode::evaluation);
  for (const std::uint64_t seed : {61, 62}) {
    engine.set_parameters(random_parameters(engine.replica().table(), seed));
    expect_same_forward(engine, *training, batch_, Mode::training, context_);
    expect_same_backward(engine, *training, context_);
    const TestBatch part = batch_.part(0, 2);
    expect_same_forward(engine, *smaller, part, Mode::training, context_);
    expect_same_backward(engine, *smaller, context_);
    expect_same_forward(engine, *evaluation, batch_, Mode::evaluation, context_);
  }
}

// Weights are float32 in every precision: steps far below bf16's resolution (2⁻⁹) add up.
TEST_P(EnginePasses, SmallUpdatesAreNotLost) {
  OptimizerSettings plain;
  plain.momentum = 0;
  EngineUnderTest engine(GetParam(), spec_, input_, plain);
  const auto program = engine.compile(6);
  const std::vector<TensorRate> rates(engine.replica().table().parameters().size(), {1e-4F, 1});
  const std::vector<float> nothing(engine.replica().table().size());
  engine.replica().write_gradients(nothing);
  for (int number = 1; number <= 300; ++number) {
    engine.replica().gradients_summed(0, nothing.size());
    engine.replica().update({number, 1, rates});
  }
  for (double& parameter : engine.reference().parameters()) parameter *= std::pow(1 - 1e-4, 300);
  // 300 roundings of 2⁻²⁵, and the float rate's own error: 300 · 1e-4 · 2⁻²⁴.
  EXPECT_LE(relative_error(engine.read_parameters(), engine.reference().parameters()), 5e-6);
  expect_same_forward(engine, *program, batch_, Mode::training, context_);
}

// Libraries choose other kernels for other batch sizes: one pass of 40 rows is four of 10.
TEST_P(EnginePasses, LargeBatchesAreSumsOfSmallOnes) {
  const NetSpec spec = make_network("alexnet-mini");
  const TestBatch whole = random_batch(input_, 10, 40, TransformKind::crop_and_mirror, 43);
  EngineUnderTest engine(GetParam(), spec, input_);
  const auto large = engine.compile(40), small = engine.compile(10);
  large->forward(whole.view(), context_);
  large->backward(false, [](std::size_t) {});
  const std::vector<float> gradients = engine.read_gradients();
  double loss = 0;
  for (int part = 0; part < 4; ++part) {
    small->forward(whole.part(10 * part, 10).view(), context_);
    loss += small->metrics().loss;
    small->backward(part > 0, [](std::size_t) {});
  }
  EXPECT_NEAR(large->metrics().loss, loss, engine.tolerance().forward * loss);
  const std::vector<float> sum = engine.read_gradients();
  for (const Parameter& parameter : engine.replica().table().parameters()) {
    const auto begin = sum.begin() + static_cast<std::ptrdiff_t>(parameter.offset);
    const std::vector<double> expected(begin, begin + static_cast<std::ptrdiff_t>(parameter.elements));
    EXPECT_LE(relative_error(std::span(gradients).subspan(parameter.offset, parameter.elements), expected),
              engine.tolerance().switched)
        << parameter.path();
  }
}

// Everything a pass leaves: gradients, then probabilities.
std::vector<float> run_once(const Target& target, const NetSpec& spec, const InputSpec& input,
                            const TestBatch& batch, const PassContext& context, int repetitions) {
  EngineUnderTest engine(target, spec, input);
  const auto program = engine.compile(batch.rows());
  for (int i = 0; i < repetitions; ++i) {
    program->forward(batch.view(), context);
    program->backward(false, [](std::size_t) {});
  }
  std::vector<float> result = engine.read_gradients(), probabilities(batch.labels.size() * 10);
  program->read_probabilities(probabilities);
  result.insert(result.end(), probabilities.begin(), probabilities.end());
  return result;
}

TEST_P(EnginePasses, TheSameWorkGivesTheSameBits) {
  const std::vector<float> first = run_once(GetParam(), spec_, input_, batch_, context_, 1);
  EXPECT_EQ(run_once(GetParam(), spec_, input_, batch_, context_, 1), first);
  EXPECT_EQ(run_once(GetParam(), spec_, input_, batch_, context_, 3), first);
}

TEST_P(EnginePasses, EveryTransformAsTheReference) {
  for (const bool mean_image : {false, true}) {
    const InputSpec input = test_input(spec_, 72, mean_image);
    EngineUnderTest engine(GetParam(), spec_, input);
    const auto program = engine.compile(3, Mode::evaluation);
    for (const TransformKind kind :
         {TransformKind::centre, TransformKind::crop_and_mirror, TransformKind::warp}) {
      SCOPED_TRACE(static_cast<int>(kind));
      expect_same_forward(engine, *program, random_batch(input, 10, 3, kind, 51), Mode::evaluation, context_);
    }
  }
}

TEST(EngineChoice, RefusalsSayWhy) {
  EXPECT_FALSE(precision_refusal(DeviceKind::cpu, Precision::fp16).empty());
  EXPECT_FALSE(precision_refusal(DeviceKind::cpu, Precision::tf32).empty());
  EXPECT_TRUE(precision_refusal(DeviceKind::cpu, Precision::fp32).empty());
  const std::string no_cuda = precision_refusal(DeviceKind::cuda, Precision::fp32);
  if (no_cuda.empty()) GTEST_SKIP() << "this machine has a GPU";
  const NetSpec spec = make_network("alexnet-mini");
  ReplicaOptions options;
  options.device = DeviceKind::cuda;
  try {
    make_replica(spec, test_input(spec, 72), options);
    FAIL() << "made a replica on a GPU that is not there";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::usage);
    EXPECT_FALSE(std::string(error.what()).empty());
  }
}

}  // namespace
}  // namespace convoy::test
