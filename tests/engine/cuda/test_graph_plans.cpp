// Plans of cuDNN's graph API beside the others: made ready only when they are tried, refused without an
// error, run inside a capture, and chosen by the tuner like any other.
#include <dlfcn.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "engine/cuda/convolution_library.hpp"
#include "engine/cuda/kernel_test.hpp"
#include "engine/engine.hpp"

namespace {

int made_plans = 0;       // execution plans that the library was asked to make
bool refuse_all = false;  // as a library without engines does

}  // namespace

// Stands before the library's function of this name.
extern "C" cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                                      cudnnBackendDescriptor_t* descriptor) {
  static const auto library = reinterpret_cast<decltype(&cudnnBackendCreateDescriptor)>(
      dlsym(RTLD_NEXT, "cudnnBackendCreateDescriptor"));
  if (type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) ++made_plans;
  if (refuse_all && type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR) return CUDNN_STATUS_NOT_SUPPORTED;
  return library(type, descriptor);
}

namespace convoy::cuda::test {
namespace {

class Memory final : public TuningMemory {
 public:
  std::optional<Decision> find(const std::string& key) const override {
    const auto found = kept_.find(key);
    return found == kept_.end() ? std::nullopt : std::optional(found->second);
  }
  Decision keep(const Decision& decision, bool) override { return kept_[decision.key] = decision; }

  std::map<std::string, Decision> kept_;
};

class GraphPlans : public KernelTest {
 protected:
  static constexpr int rows = 2, side = 5;

  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    libraries_.emplace(stream());
    convolution_.emplace(*libraries_, "conv",
                         ConvolutionShape{.input = map(32), .output = map(64), .kernel = 3, .padding = 1},
                         Precision::bf16, true);
    made_plans = 0;
  }
  void TearDown() override { refuse_all = false; }

  static MapShape map(int channels) {
    return {.rows = rows,
            .channels = channels,
            .height = side,
            .width = side,
            .layout = Layout::channels_last,
            .element = Element::bfloat16};
  }

  // Returns what was chosen.
  std::vector<Decision> choose(TunerOptions options) {
    Tuner tuner(std::move(options));
    convolution_->want_input_gradient();
    const DeviceMemory input(convolution_->shape().input.bytes(), "a test");
    const DeviceMemory output(convolution_->shape().output.bytes(), "a test");
    const DeviceMemory filter(convolution_->gradient_bytes(), "a test");
    DeviceMemory workspace;
    ConvolutionScratch scratch;
    scratch.input = input.data();
    scratch.output = output.data();
    scratch.filter = filter.data();
    scratch.workspace = [&](std::size_t bytes) -> void* {
      if (bytes > workspace.size()) {
        workspace = DeviceMemory();
        workspace = DeviceMemory(bytes, "a test");
      }
      return workspace.data();
    };
    convolution_->choose(tuner, {.deterministic = !tuner.measures(), .training = true}, scratch);
    check(cudaStreamSynchronize(stream()), "a test");
    return tuner.decisions();
  }

  std::optional<Libraries> libraries_;
  std::optional<LibraryConvolution> convolution_;
};

constexpr ConvolutionPass all_passes[] = {ConvolutionPass::forward, ConvolutionPass::backward_data,
                                          ConvolutionPass::backward_filter};

bool by_graph(const std::string& name) {
  return name.find("graph engine ") != std::string::npos;
}

TEST_F(GraphPlans, AreNotMadeReadyByRule) {
  for (const TunerOptions& options :
       {TunerOptions{.deterministic = true}, TunerOptions{.mode = TuneMode::off, .deterministic = false}}) {
    for (const Decision& decision : choose(options)) EXPECT_FALSE(by_graph(decision.chosen));
    EXPECT_EQ(made_plans, 0);
  }
}

TEST_F(GraphPlans, AreMeasuredAndKeptAnswersMakeNoneButTheirOwn) {
  const auto memory = std::make_shared<Memory>();
  const TunerOptions options{.deterministic = false, .memory = memory};
  int tried = 0;
  for (const Decision& decision : choose(options)) {
    EXPECT_EQ(decision.source, DecisionSource::measured);
    for (const Trial& trial : decision.trials)
      tried += by_graph(trial.name) && trial.outcome != TrialOutcome::refused ? 1 : 0;
  }
  EXPECT_GE(made_plans, tried);
  // Answers as if a plan of a graph had won forward, and others elsewhere.
  int expected = 0;
  for (auto& [key, decision] : memory->kept_) {
    const bool forward = decision.what.ends_with("forward");
    const auto wanted = std::ranges::find_if(decision.trials, [&](const Trial& trial) {
      return trial.outcome != TrialOutcome::refused && by_graph(trial.name) == forward;
    });
    if (wanted == decision.trials.end()) GTEST_SKIP() << "this device serves no graph";
    decision.chosen = wanted->name;
    expected += forward ? 1 : 0;
  }
  made_plans = 0;
  for (const Decision& decision : choose(options)) EXPECT_EQ(decision.source, DecisionSource::kept);
  EXPECT_EQ(made_plans, expected);
}

TEST_F(GraphPlans, AreRefusedWithoutAnErrorByALibraryWithoutEngines) {
  refuse_all = true;
  for (const Decision& decision : choose({.deterministic = false})) {
    EXPECT_FALSE(by_graph(decision.chosen));
    for (const Trial& trial : decision.trials) EXPECT_FALSE(by_graph(trial.name)) << trial.name;
  }
}

// The emulated engines take float32 operands as tf32 and do not say so in their notes.
TEST_F(GraphPlans, AreDroppedWhereTheyComputeFullFloat32InTf32) {
  MapShape input = map(32), output = map(64);
  input.element = output.element = Element::float32;
  input.layout = output.layout = Layout::channels_first;
  convolution_.emplace(*libraries_, "conv",
                       ConvolutionShape{.input = input, .output = output, .kernel = 3, .padding = 1},
                       Precision::fp32, true);
  for (const Decision& decision : choose({.deterministic = false})) {
    for (const Trial& trial : decision.trials) {
      SCOPED_TRACE(decision.what + ": " + trial.name);
      if (!by_graph(trial.name)) {
        EXPECT_NE(trial.outcome, TrialOutcome::wrong);
      } else if (emulated()) {
        EXPECT_EQ(trial.outcome, TrialOutcome::wrong);
        // Well beyond what is allowed, so that no sample of such results gets through.
        EXPECT_GT(trial.difference, 1.2 * result_tolerance(Precision::fp32, Element::float32));
      }
    }
  }
}

TEST_F(GraphPlans, HaveNamesThatStay) {
  for (const ConvolutionPass pass : all_passes) {
    const std::vector<ConvolutionPlan> once = convolution_->plans(pass, false);
    const std::vector<ConvolutionPlan> again = convolution_->plans(pass, false);
    ASSERT_EQ(once.size(), again.size());
    for (std::size_t i = 0; i < once.size(); ++i) {
      EXPECT_EQ(once[i].name, again[i].name);
      for (std::size_t j = 0; j < i; ++j) EXPECT_NE(once[i].name, once[j].name);
    }
  }
}

TEST_F(GraphPlans, RunInACapture) {
  const auto values = [](std::size_t count) {
    std::vector<float> result(count);
    for (std::size_t i = 0; i < count; ++i) result[i] = static_cast<float>(i * 7 % 129) / 64 - 1;
    return result;
  };
  const auto buffer = [&](std::size_t bytes) {
    return DeviceElements(values(bytes / 2), Element::bfloat16, stream());
  };
  DeviceElements input = buffer(map(32).bytes()), output = buffer(map(64).bytes());
  DeviceElements filter = buffer(convolution_->filter_bytes());
  int runs = 0;
  for (const ConvolutionPass pass : all_passes) {
    ConvolutionOperands operands{.first = input.data(), .second = filter.data(), .bias = filter.data()};
    std::size_t bytes = map(64).bytes();
    if (pass == ConvolutionPass::backward_data) {
      operands = {.first = filter.data(), .second = output.data()};
      bytes = map(32).bytes();
    } else if (pass == ConvolutionPass::backward_filter) {
      operands = {.first = input.data(), .second = output.data()};
      bytes = convolution_->gradient_bytes();
    }
    for (const ConvolutionPlan& plan : convolution_->plans(pass, false)) {
      if (!by_graph(plan.name)) continue;
      SCOPED_TRACE(plan.name);
      const std::optional<PreparedConvolution> prepared = plan.prepare();
      if (!prepared) continue;
      const DeviceMemory workspace(prepared->workspace_bytes, "a test"), results(2 * bytes, "a test");
      check(cudaMemsetAsync(results.data(), 0xFF, 2 * bytes, stream()), "a test");
      operands.workspace = workspace.data();
      operands.result = results.data();
      if (prepared->run(operands) != CUDNN_STATUS_SUCCESS) continue;
      // Another place, so that the graph must take the pointers of its own call.
      operands.result = static_cast<std::byte*>(results.data()) + bytes;
      cudaGraph_t graph = nullptr;
      check(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeThreadLocal), "a test");
      EXPECT_EQ(prepared->run(operands), CUDNN_STATUS_SUCCESS);
      check(cudaStreamEndCapture(stream(), &graph), "a test");
      cudaGraphExec_t recorded = nullptr;
      check(cudaGraphInstantiate(&recorded, graph, 0), "a test");
      check(cudaGraphLaunch(recorded, stream()), "a test");
      std::vector<std::byte> found(2 * bytes);
      check(cudaStreamSynchronize(stream()), "a test");
      check(cudaMemcpy(found.data(), results.data(), found.size(), cudaMemcpyDeviceToHost), "a test");
      check(cudaGraphExecDestroy(recorded), "a test");
      check(cudaGraphDestroy(graph), "a test");
      EXPECT_TRUE(std::equal(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(bytes),
                             found.begin() + static_cast<std::ptrdiff_t>(bytes)));
      ++runs;
    }
  }
  if (runs == 0) GTEST_SKIP() << "this device serves no graph";
}

}  // namespace
}  // namespace convoy::cuda::test
