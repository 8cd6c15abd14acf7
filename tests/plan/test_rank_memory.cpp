// Memory that a plan says, against what a replica holds that has really taken it.
#include <gtest/gtest.h>

#include "model/networks.hpp"
#include "plan/rank_memory.hpp"

namespace convoy {
namespace {

double bytes_of(const RankMemory& memory, const std::string& what) {
  for (const MemoryLine& line : memory.device)
    if (line.what == what) return line.bytes;
  return 0;
}

TEST(RankMemory, OfTheCpuIsWhatItsEngineHolds) {
  for (const char* name : {"alexnet-mini", "alexnet-cifar"}) {
    TrainConfiguration c;
    c.model = name;
    c.global_batch = 8;
    c.threads = 1;
    c.optimizer.rule = OptimizerRule::adam;
    const NetSpec network = make_network(name, {.classes = 10, .dropout = {}});
    const DataSizes data{.images = 100, .classes = 10, .image_size = network.stored_side};
    const RunSchedule schedule = plan_schedule(c, data, 2);
    const RankMemory planned = plan_rank_memory(c, network, data, DeviceKind::cpu, schedule);
    const InputSpec input{
        .stored_side = network.stored_side, .crop_side = network.input.height, .mean = {0, 0, 0}};
    const auto replica = make_training_replica(network, input, {.device = DeviceKind::cpu, .threads = 1},
                                               {.optimizer = c.optimizer});
    const auto program = replica->compile({.batch = 4});
    const ReplicaMemory held = replica->memory_use();
    EXPECT_EQ(bytes_of(planned, "parameters"), static_cast<double>(held.parameters));
    EXPECT_EQ(bytes_of(planned, "gradients"), static_cast<double>(held.gradients));
    EXPECT_EQ(bytes_of(planned, "optimiser's state"), static_cast<double>(held.slots));
    EXPECT_EQ(bytes_of(planned, "parameters in the library's layouts"), static_cast<double>(held.copies));
    EXPECT_EQ(planned.device_bytes(), static_cast<double>(held.total() + program->memory_use().total()));
    EXPECT_EQ(held.slots, 2 * held.parameters);
    EXPECT_GT(program->memory_use().activations, 0U);
  }
}

// 4 TB of activations are planned on a machine that does not have them.
TEST(RankMemory, IsPlannedWithoutTakingIt) {
  TrainConfiguration c;
  c.model = "alexnet";
  c.global_batch = 100000;
  const NetSpec network = make_network(c.model);
  const DataSizes data{.images = 1000000, .classes = 1000, .image_size = 256};
  const RankMemory memory = plan_rank_memory(c, network, data, DeviceKind::cpu, plan_schedule(c, data, 1));
  EXPECT_GT(memory.device_bytes(), 2e11);
}

TEST(RankMemory, AccumulationTakesAnotherGradient) {
  TrainConfiguration c;
  c.model = "alexnet-mini";
  c.accumulate = 2;
  const NetSpec network = make_network(c.model);
  const DataSizes data{.images = 1000, .classes = 10, .image_size = 72};
  const RankMemory memory = plan_rank_memory(c, network, data, DeviceKind::cpu, plan_schedule(c, data, 1));
  EXPECT_EQ(bytes_of(memory, "gradients of a micro-batch"), bytes_of(memory, "gradients"));
}

}  // namespace
}  // namespace convoy
