// Real images through the networks that are made for them, on GPUs and on the CPU: the same losses and the
// same update. Needs the folder that CONVOY_TEST_DATA names.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string>
#include <tuple>

#include "sources/pack.hpp"
#include "support/mpi_test.hpp"
#include "system/serial_run.hpp"
#include "system/tiny_run.hpp"

namespace convoy::test {
namespace {

class GpuRealImages : public testing::Test {
 protected:
  GpuRealImages() : folder_(world()) {}

  void SetUp() override {
    if (const std::string reason = why_no_gpus(world()); !reason.empty()) GTEST_SKIP() << reason;
    const char* data = std::getenv("CONVOY_TEST_DATA");
    if (data == nullptr) GTEST_SKIP() << "CONVOY_TEST_DATA does not name the folder of real images";
    data_ = data;
  }

  void pack_images(const std::string& source, int side) const {
    PackOptions options;
    options.source = data_ / source;
    options.store = folder_ / "store";
    options.image_size = side;
    options.workers = 1;
    pack(options, world(), Log(world().rank(), world().size(), LogLevel::warning));
  }

  TrainConfiguration on(DeviceKind device, const std::string& output) const {
    TrainConfiguration configuration = tiny_configuration(folder_, output);
    configuration.device = device;
    configuration.evaluate_every = configuration.checkpoint_every = {};
    configuration.augmentation = {};
    configuration.augmentation.mirror = true;
    return configuration;
  }

  static Records run(const TrainConfiguration& configuration) {
    Recorder recorder;
    EXPECT_EQ(train(configuration, world(), recorder).code, ExitCode::done);
    return recorder;
  }

  SharedFolder folder_;
  std::filesystem::path data_;
};

TEST_F(GpuRealImages, TenStepsOfCifarGiveTheLossesOfTheCpu) {
  pack_images("cifar10/val.tar", 32);
  const auto configuration_on = [&](DeviceKind device, const std::string& output) {
    TrainConfiguration c = on(device, output);
    c.model = "alexnet-cifar";
    c.global_batch = 16;
    c.steps = 10;
    c.schedule.rate.first = 0.01;
    return c;
  };
  const Records cpu = run(configuration_on(DeviceKind::cpu, "cpu"));
  const Records gpu = run(configuration_on(DeviceKind::cuda, "gpu"));
  if (world().rank() != 0) return;
  ASSERT_EQ(cpu.steps.size(), 10U);
  ASSERT_EQ(gpu.steps.size(), 10U);
  double largest = 0;
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_NEAR(gpu.steps[i].loss, cpu.steps[i].loss, 1e-3) << "step " << i + 1;
    largest = std::max(largest, std::abs(gpu.steps[i].loss - cpu.steps[i].loss));
  }
  RecordProperty("largest_difference", std::to_string(largest));
  EXPECT_EQ(gpu.starts.at(0).device, "cuda");
  EXPECT_EQ(gpu.starts.at(0).devices.size(), static_cast<std::size_t>(world().size()));
  EXPECT_EQ(gpu.starts.at(0).collective, world().size() == 1 ? "none" : "nccl");
}

// One update of the full-size network: its loss, and the way its weights went.
TEST_F(GpuRealImages, AStepOfAlexnetIsThatOfTheCpu) {
  pack_images("imagenet-sample", 256);
  // A bundle holds only some of them.
  const auto classes = static_cast<int>(std::distance(
      std::filesystem::directory_iterator(data_ / "imagenet-sample"), std::filesystem::directory_iterator()));
  TrainConfiguration cpu = on(DeviceKind::cpu, "cpu");
  cpu.model = "alexnet";
  cpu.global_batch = 4;
  cpu.steps = 0;
  cpu.keep = 0;
  run(cpu);
  std::vector<float> before;
  if (world().rank() == 0) before = load(cpu.output, 0, cpu, classes).parameters;
  cpu.steps = 1;
  cpu.resume = "auto";
  const Records reference = run(cpu);
  // float32 sums in another order; 8 bits of bf16 through 8 layers, of which a loss averages.
  for (const auto& [precision, tolerance, update_tolerance] :
       {std::tuple{Precision::fp32, 1e-3, 1e-3}, {Precision::bf16, 2e-2, 5e-2}}) {
    if (!precision_refusal(DeviceKind::cuda, precision).empty()) continue;
    TrainConfiguration gpu = on(DeviceKind::cuda, precision == Precision::fp32 ? "fp32" : "bf16");
    gpu.model = "alexnet";
    gpu.global_batch = 4;
    gpu.steps = 1;
    gpu.precision = precision;
    const Records on_gpu = run(gpu);
    if (world().rank() != 0) continue;
    EXPECT_NEAR(on_gpu.steps.at(0).loss / reference.steps.at(0).loss, 1, tolerance);
    const std::vector<float> expected = load(cpu.output, 1, cpu, classes).parameters;
    const double moved = distance(before, expected);
    EXPECT_GT(moved, 0);
    EXPECT_LT(distance(load(gpu.output, 1, gpu, classes).parameters, expected), update_tolerance * moved);
  }
}

}  // namespace
}  // namespace convoy::test
