// Steps recorded as graphs: bit for bit what they are without, whatever changes from step to step; what
// happens when a step cannot be recorded.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "base/error.hpp"
#include "engine/cuda/replica_steps.hpp"

namespace convoy::test {
namespace {

constexpr int steps_count = 11;

struct Outcome {
  std::vector<StepResult> results;
  std::vector<float> parameters, slot;
  int enqueued = 0;
};

Outcome train(ReplicaSettings settings) {
  ReplicaSteps steps(settings);
  Outcome outcome;
  for (int number = 1; number <= steps_count; ++number) {
    steps.step(number);
    if (number > steps.replica().steps_ahead()) outcome.results.push_back(steps.take());
  }
  while (outcome.results.size() < steps_count) outcome.results.push_back(steps.take());
  outcome.parameters = steps.read_parameters();
  outcome.slot = steps.read_slot(0);
  outcome.enqueued = steps.enqueued();
  return outcome;
}

void expect_same(const Outcome& one, const Outcome& other) {
  ASSERT_EQ(one.results.size(), other.results.size());
  for (std::size_t i = 0; i < one.results.size(); ++i) {
    EXPECT_EQ(one.results[i].metrics.loss, other.results[i].metrics.loss) << "step " << i + 1;
    EXPECT_EQ(one.results[i].metrics.samples, other.results[i].metrics.samples) << "step " << i + 1;
    EXPECT_EQ(one.results[i].update.finite, other.results[i].update.finite) << "step " << i + 1;
    if (one.results[i].update.finite) {
      EXPECT_EQ(one.results[i].update.gradient_norm, other.results[i].update.gradient_norm)
          << "step " << i + 1;
    }
    EXPECT_EQ(one.results[i].loss_scale, other.results[i].loss_scale) << "step " << i + 1;
  }
  EXPECT_EQ(one.parameters, other.parameters);
  EXPECT_EQ(one.slot, other.slot);
}

class CudaStepGraph : public OnAGpu {};

TEST_F(CudaStepGraph, GivesTheBitsOfSingleCalls) {
  for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::fp16}) {
    for (const OptimizerRule rule : {OptimizerRule::sgd, OptimizerRule::adam}) {
      SCOPED_TRACE(static_cast<int>(precision));
      const Outcome single = train({.precision = precision, .graph = GraphUse::off, .rule = rule});
      const Outcome graph = train({.precision = precision, .graph = GraphUse::on, .rule = rule});
      expect_same(single, graph);
      EXPECT_EQ(single.enqueued, steps_count);
      // The first step, and one recording for each place of an update.
      EXPECT_EQ(graph.enqueued, 5);
    }
  }
}

// What is updated beside backward gives the bits of an update behind it: norms, weights, slots.
TEST_F(CudaStepGraph, UpdatesDuringBackwardGiveTheSameBits) {
  for (const ReplicaSettings& early : {
           ReplicaSettings{.precision = Precision::fp32, .graph = GraphUse::on},
           ReplicaSettings{.precision = Precision::bf16,
           .graph = GraphUse::off,
           .rule = OptimizerRule::adam,
           .micro_batches = 2,
           .early_elements = 20'000},
           ReplicaSettings{.precision = Precision::bf16, .graph = GraphUse::on, .rule = OptimizerRule::adam},
           ReplicaSettings{.precision = Precision::fp16, .graph = GraphUse::off},
       }) {
    SCOPED_TRACE(static_cast<int>(early.precision));
    ReplicaSettings behind = early;
    behind.early_elements = TrainingOptions::updates_at_once;
    expect_same(train(behind), train(early));
  }
}

// Answers what was answered first, but decides for all layers how both gradients are computed.
class BranchMemory final : public TuningMemory {
 public:
  std::string both_gradients;
  int decided = 0;

  std::optional<Decision> find(const std::string& key) const override {
    const auto kept = answers_.find(key);
    return kept == answers_.end() ? std::nullopt : std::optional<Decision>(kept->second);
  }
  Decision keep(const Decision& decision, bool) override {
    if (!decision.what.ends_with("gradients of weights and inputs"))
      return answers_.insert_or_assign(decision.key, decision).first->second;
    ++decided;
    Decision result = decision;
    result.chosen = both_gradients;
    return result;
  }

 private:
  std::map<std::string, Decision> answers_;
};

// The gradient of a layer's weights on a stream beside that of its inputs.
TEST_F(CudaStepGraph, GradientsSideBySideGiveTheSameBits) {
  for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::fp16}) {
    SCOPED_TRACE(static_cast<int>(precision));
    const auto memory = std::make_shared<BranchMemory>();
    const auto trained = [&](const char* both, GraphUse graph, int micro_batches) {
      memory->both_gradients = both;
      memory->decided = 0;
      Outcome outcome =
          train({.precision = precision, .graph = graph, .micro_batches = micro_batches, .memory = memory});
      EXPECT_EQ(memory->decided, 7);  // all layers but the first
      return outcome;
    };
    const Outcome sequence = trained("one after the other", GraphUse::off, 2);
    expect_same(sequence, trained("side by side", GraphUse::off, 2));
    expect_same(sequence, trained("side by side", GraphUse::on, 2));
  }
}

TEST_F(CudaStepGraph, HoldsAllPassesOfAStep) {
  const Outcome single = train({.graph = GraphUse::off, .micro_batches = 2});
  const Outcome graph = train({.graph = GraphUse::automatic, .micro_batches = 2});
  expect_same(single, graph);
  EXPECT_LT(graph.enqueued, steps_count);
}

TEST_F(CudaStepGraph, IsRecordedAnewForAnotherProgram) {
  const auto run = [](GraphUse use) {
    ReplicaSteps steps({.graph = use});
    std::vector<double> losses;
    for (int number = 1; number <= 14; ++number) {
      if (number == 8) steps.compile();
      steps.step(number);
      losses.push_back(steps.take().metrics.loss);
    }
    return losses;
  };
  EXPECT_EQ(run(GraphUse::off), run(GraphUse::on));
}

TEST_F(CudaStepGraph, WritesACopyThatAnotherProgramNeedsFromNowOn) {
  ReplicaSteps steps({.precision = Precision::bf16});
  for (int number = 1; number <= 6; ++number) {
    steps.step(number);
    steps.take();
  }
  const auto before = steps.enqueued();
  const auto evaluation = steps.replica().compile(
      {.batch = ReplicaSteps::batch, .mode = Mode::evaluation, .precision = Precision::fp16});
  steps.step(7);
  steps.take();
  EXPECT_EQ(steps.enqueued(), before + 1);
}

TEST_F(CudaStepGraph, IsNotUsedForStepsInWhichTheHostTakesPart) {
  ReplicaSteps steps({.graph = GraphUse::automatic});
  for (int number = 1; number <= 3; ++number) {
    steps.step(number, false);
    steps.take();
  }
  EXPECT_EQ(steps.enqueued(), 3);

  ReplicaSteps demanded({.graph = GraphUse::on});
  try {
    demanded.step(1, false);
    FAIL() << "a step that cannot be recorded was run under `on`";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::usage);
  }
}

// Waiting for the device spoils a recording; outside of one it is allowed.
void wait_inside(TrainingReplica& replica) {
  try {
    replica.synchronise();
  } catch (const Error&) {
  }
}

TEST_F(CudaStepGraph, FallsBackToSingleCallsWhereRecordingIsRefused) {
  const Outcome single = train({.graph = GraphUse::off});
  ReplicaSteps steps({.graph = GraphUse::automatic});
  for (int number = 1; number <= 4; ++number) {
    steps.step(number, true, [&] { wait_inside(steps.replica()); });
    const StepResult result = steps.take();
    EXPECT_EQ(result.metrics.loss, single.results[static_cast<std::size_t>(number - 1)].metrics.loss);
  }
  EXPECT_EQ(steps.enqueued(), 5);  // four, and the attempt

  ReplicaSteps demanded({.graph = GraphUse::on});
  const auto step = [&](int number) {
    demanded.step(number, true, [&] { wait_inside(demanded.replica()); });
  };
  step(1);
  try {
    step(2);
    FAIL() << "a step that cannot be recorded was run under `on`";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::device);
  }
}

// With several ranks all record or none: rank 0's word counts.
TEST_F(CudaStepGraph, FollowsRankZero) {
  std::vector<std::string> told;
  std::optional<std::string> rank_zero_says;  // none while algorithms are agreed on
  const auto agree = [&](const std::string& mine) {
    if (rank_zero_says) told.push_back(mine);
    return rank_zero_says.value_or(mine);
  };
  testing::internal::CaptureStderr();
  const Log log;
  ReplicaSteps refused({.graph = GraphUse::automatic, .agree = agree, .log = &log});
  rank_zero_says = "not here";
  for (int number = 1; number <= 4; ++number) {
    refused.step(number);
    refused.take();
  }
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("without a CUDA graph"), std::string::npos) << said;
  EXPECT_EQ(std::ranges::count(said, '\n'), 1) << said;
  EXPECT_EQ(refused.enqueued(), 5);  // four, and the attempt
  EXPECT_EQ(told, std::vector<std::string>{""});

  rank_zero_says.reset();
  ReplicaSteps alone({.graph = GraphUse::automatic, .agree = agree});
  rank_zero_says = "";
  const auto step = [&](int number) { alone.step(number, true, [&] { wait_inside(alone.replica()); }); };
  step(1);
  try {
    step(2);
    FAIL() << "a rank went on without a graph, while rank 0 has one";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::device);
    EXPECT_NE(std::string(error.what()).find("--cuda-graph off"), std::string::npos) << error.what();
  }
}

TEST_F(CudaStepGraph, AnExceptionInsideARecordingEndsIt) {
  ReplicaSteps steps({.graph = GraphUse::automatic});
  steps.step(1);
  steps.take();
  EXPECT_THROW(steps.step(2, true, [] { throw std::runtime_error("lost"); }), std::runtime_error);
  // The stream takes work again, and what the broken step recorded never ran.
  steps.step(2);
  EXPECT_EQ(steps.take().metrics.samples, ReplicaSteps::batch);
  steps.replica().synchronise();
}

}  // namespace
}  // namespace convoy::test
