// Memory of a GPU that is planned without one, against what the engine places on a device.
#include <gtest/gtest.h>

#include "device/cuda_devices.hpp"
#include "model/networks.hpp"
#include "plan/rank_memory.hpp"

namespace convoy {
namespace {

struct Case {
  const char* network;
  int batch;
};

// Of the small network a batch at which partial sums of biases, whose number has an upper limit, are a small
// part, as with all networks at the batches that GPUs train with.
TEST(GpuMemory, IsWhatTheEnginePlaces) {
  if (const std::string refusal = find_cuda_devices().refusal; !refusal.empty()) GTEST_SKIP() << refusal;
  for (const auto& [name, batch] : {Case{"alexnet", 16}, Case{"alexnet-owt", 16}, Case{"alexnet-cifar", 256}})
    for (const Precision precision : {Precision::fp32, Precision::bf16}) {
      if (!precision_refusal(DeviceKind::cuda, precision).empty()) continue;
      const NetSpec network = make_network(name, {.classes = 10, .dropout = {}});
      const InputSpec input{
          .stored_side = network.stored_side, .crop_side = network.input.height, .mean = {0, 0, 0}};
      const ProgramOptions options{.batch = batch, .precision = precision, .micro_batches = 2};
      const auto replica =
          make_training_replica(network, input, {.device = DeviceKind::cuda, .deterministic = true});
      const auto program = replica->compile(options);
      const ProgramMemory held = program->memory_use(), planned = plan_gpu_program(network, input, options);
      EXPECT_EQ(planned.staging, held.staging) << name;
      // Without the scratch of kernels for bias sums and pools (up to 768 partial sums of a channel: 4 % of
      // the small network in 16 bits), and each tensor begins a page of its own. The workspace, which lives
      // as long as the program, moves nothing.
      const auto activations = static_cast<double>(held.activations);
      EXPECT_NEAR(static_cast<double>(planned.activations), activations, 0.05 * activations)
          << name << ", " << word_of(precision_words(), precision);
      EXPECT_EQ(replica->memory_use().copies, precision == Precision::bf16 ? replica->table().size() * 2 : 0);
    }
}

}  // namespace
}  // namespace convoy
