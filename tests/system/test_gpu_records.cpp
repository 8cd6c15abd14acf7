// The records for other programs of runs on GPUs: no bit of the training changes, with recorded steps and
// without; histograms are of the device's weights, gradients those of the CPU; the trace has the device's own
// times of phases and sums.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/atomic_file.hpp"
#include "report/trace_reader.hpp"
#include "support/mpi_test.hpp"
#include "system/record_checks.hpp"
#include "system/serial_run.hpp"
#include "system/tiny_run.hpp"

namespace convoy::test {
namespace {

// Keeps the gradients of the first step.
class GradientRecorder : public Recorder {
 public:
  void on_weights(const WeightRecord& record) override {
    if (!record.gradients.empty()) gradients.assign(record.gradients.begin(), record.gradients.end());
  }
  std::vector<float> gradients;
};

class GpuRecords : public testing::Test {
 protected:
  GpuRecords() : folder_(world()) {}

  void SetUp() override {
    if (const std::string reason = why_no_gpus(world()); !reason.empty()) GTEST_SKIP() << reason;
    write_tiny_store(folder_ / "store", {}, world());
  }

  TrainConfiguration on(DeviceKind device, const std::string& output) const {
    TrainConfiguration configuration = tiny_configuration(folder_, output);
    configuration.device = device;
    configuration.deterministic = true;
    configuration.epochs = 3;
    configuration.log_every = 3;
    return configuration;
  }

  TrainConfiguration recorded(const std::string& output) const {
    TrainConfiguration configuration = on(DeviceKind::cuda, output);
    configuration.tensorboard = true;
    configuration.histogram_every = {.count = 1, .epochs = true};
    configuration.trace = (folder_ / output / "trace.json").string();
    configuration.trace_steps = {3, 6};
    return configuration;
  }

  static void finish(const TrainConfiguration& configuration) {
    Recorder recorder;
    EXPECT_EQ(train(configuration, world(), recorder).code, ExitCode::done);
  }

  SharedFolder folder_;
};

TEST_F(GpuRecords, ChangeNoBit) {
  const TrainConfiguration plain = on(DeviceKind::cuda, "plain"), with = recorded("recorded");
  finish(plain);
  finish(with);
  if (world().rank() != 0) return;
  expect_same(load(plain.output, 9, plain), load(with.output, 9, with));
  expect_histograms_of(load(with.output, 9, with), with);
  expect_curves_of_metrics(with.output);
}

// In fp16 gradients carry the loss scale, which is taken out of them.
TEST_F(GpuRecords, GradientsAreThoseOfTheCpu) {
  std::vector<float> cpu;
  for (const Precision precision : {Precision::fp32, Precision::fp16}) {
    for (const DeviceKind device : {DeviceKind::cpu, DeviceKind::cuda}) {
      if (device == DeviceKind::cpu && precision == Precision::fp16) continue;
      TrainConfiguration configuration =
          on(device, fmt::format("run{}{}", static_cast<int>(device), static_cast<int>(precision)));
      configuration.precision = precision;
      configuration.steps = 1;
      configuration.tensorboard = true;
      configuration.histogram_every = {.count = 1, .epochs = false};
      GradientRecorder recorder;
      EXPECT_EQ(train(configuration, world(), recorder).code, ExitCode::done);
      if (world().rank() != 0) continue;
      if (device == DeviceKind::cpu) {
        cpu = recorder.gradients;
        continue;
      }
      ASSERT_EQ(recorder.gradients.size(), cpu.size());
      // fp32: sums in another order, as in test_gpu_training; fp16: activations and products are rounded to
      // 2^-11, over eight layers.
      const double tolerance = precision == Precision::fp32 ? 1e-3 : 2e-2;
      const std::vector<float> nothing(cpu.size());
      EXPECT_LT(distance(recorder.gradients, cpu), tolerance * distance(cpu, nothing));
    }
  }
}

TEST_F(GpuRecords, TheTraceHasTheDevicesOwnTimes) {
  for (const GraphUse graph : {GraphUse::on, GraphUse::off}) {
    TrainConfiguration configuration = recorded(graph == GraphUse::on ? "graph" : "calls");
    configuration.cuda_graph = graph;
    finish(configuration);
    if (world().rank() != 0) continue;
    const ReadTrace trace = read_trace(read_text_file(configuration.trace));
    ASSERT_EQ(trace.processes.size(), static_cast<std::size_t>(world().size()));
    for (int rank = 0; rank < world().size(); ++rank) {
      const std::vector<ReadInterval> steps = trace.all(rank, "steps", "step");
      EXPECT_EQ(steps.size(), 4U);
      for (const char* phase : {"forward", "backward", "exposed", "update"})
        EXPECT_EQ(trace.all(rank, "GPU", phase).size(), 4U) << phase;
      // What the host does is named as such; a step that is replayed is not enqueued again.
      EXPECT_EQ(trace.all(rank, "steps", "enqueue, or launch the recorded step").size(), 4U);
      const std::size_t enqueued = trace.all(rank, "steps", "enqueue backward").size();
      EXPECT_EQ(enqueued == 4, graph == GraphUse::off);
      EXPECT_TRUE(trace.all(rank, "steps", "backward").empty());
      if (world().size() == 1) continue;
      const std::vector<ReadInterval> sums = trace.all(rank, "GPU all-reduce", "bucket");
      EXPECT_EQ(sums.size(), 4U) << "the network is one bucket";
      const std::vector<ReadInterval> backward = trace.all(rank, "GPU", "backward");
      for (const ReadInterval& sum : sums)
        EXPECT_TRUE(std::ranges::any_of(
            backward,
            [&](const ReadInterval& pass) { return pass.begin <= sum.begin && sum.begin <= pass.end; }))
            << "bucket " << sum.numbers.at("bucket") << " is ready during backward";
    }
  }
}

}  // namespace
}  // namespace convoy::test
