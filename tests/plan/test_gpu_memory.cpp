// Memory of a GPU that is planned without one, against what the engine places on a device.
#include <gtest/gtest.h>

#include "device/cuda_devices.hpp"
#include "model/networks.hpp"
#include "plan/rank_memory.hpp"

namespace convoy {
namespace {

TEST(GpuMemory, IsWhatTheEnginePlaces) {
  if (const std::string refusal = find_cuda_devices().refusal; !refusal.empty()) GTEST_SKIP() << refusal;
  for (const std::string& name : network_names())
    for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16}) {
      if (!precision_refusal(DeviceKind::cuda, precision).empty()) continue;
      const NetSpec network = make_network(name, {.classes = 10, .dropout = {}});
      const InputSpec input{
          .stored_side = network.stored_side, .crop_side = network.input.height, .mean = {0, 0, 0}};
      const ProgramOptions options{.batch = 16, .precision = precision, .micro_batches = 2};
      const auto replica =
          make_training_replica(network, input, {.device = DeviceKind::cuda, .deterministic = true});
      const auto program = replica->compile(options);
      const ProgramMemory held = program->memory_use(), planned = plan_gpu_program(network, input, options);
      EXPECT_EQ(planned.staging, held.staging) << name;
      // Without the scratch of kernels for bias sums and pools, and each tensor begins a page of its own. The
      // workspace, which lives as long as the program, moves nothing.
      const auto activations = static_cast<double>(held.activations);
      EXPECT_NEAR(static_cast<double>(planned.activations), activations, 0.03 * activations)
          << name << ", " << word_of(precision_words(), precision);
      EXPECT_EQ(replica->memory_use().copies, precision == Precision::bf16 ? replica->table().size() * 2 : 0);
    }
}

}  // namespace
}  // namespace convoy
