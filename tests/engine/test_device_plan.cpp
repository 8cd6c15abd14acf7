// Which rank takes which GPU, from what each of them sees.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "engine/device_plan.hpp"

namespace convoy {
namespace {

RankDevices rank_on(int node, const std::vector<std::string>& uuids) {
  RankDevices rank{.node = node, .host = fmt::format("node{}", node), .devices = {}, .refusal = {}};
  for (const std::string& uuid : uuids) {
    CudaDevice device;
    device.index = static_cast<int>(rank.devices.size());
    device.name = "NVIDIA H100";
    device.uuid = uuid;
    rank.devices.push_back(device);
  }
  if (uuids.empty()) rank.refusal = "no NVIDIA driver is loaded";
  return rank;
}

std::vector<int> indices(const std::vector<DevicePlan>& plans) {
  std::vector<int> found;
  for (const DevicePlan& plan : plans) found.push_back(plan.kind == DeviceKind::cuda ? plan.index : -1);
  return found;
}

void expect_refused(DeviceKind asked, const std::vector<RankDevices>& ranks,
                    const std::vector<std::string>& words) {
  try {
    choose_devices(asked, ranks);
    FAIL() << "planned";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::usage);
    for (const std::string& word : words)
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
  }
}

TEST(DevicePlan, OneVisibleGpuIsTaken) {
  const std::vector<RankDevices> ranks = {rank_on(0, {"GPU-a"}), rank_on(0, {"GPU-b"}),
                                          rank_on(1, {"GPU-c"})};
  const auto plans = choose_devices(DeviceKind::cuda, ranks);
  EXPECT_EQ(indices(plans), (std::vector<int>{0, 0, 0}));
  EXPECT_EQ(plans[1].description, "NVIDIA H100 (GPU-b)");
}

TEST(DevicePlan, SeveralVisibleGpusGoByLocalRank) {
  const std::vector<std::string> all = {"GPU-a", "GPU-b"};
  const std::vector<RankDevices> packed = {rank_on(0, all), rank_on(0, all), rank_on(1, all),
                                           rank_on(1, all)};
  EXPECT_EQ(indices(choose_devices(DeviceKind::automatic, packed)), (std::vector<int>{0, 1, 0, 1}));
  // Ranks dealt out to the hosts in turn (mpirun --map-by node).
  const std::vector<RankDevices> dealt = {rank_on(0, all), rank_on(1, all), rank_on(0, all), rank_on(1, all)};
  EXPECT_EQ(indices(choose_devices(DeviceKind::cuda, dealt)), (std::vector<int>{0, 0, 1, 1}));
}

TEST(DevicePlan, GpusOfItsOwnForEachRank) {  // Slurm's --gpus-per-task=2
  const std::vector<RankDevices> ranks = {rank_on(0, {"GPU-a", "GPU-b"}), rank_on(0, {"GPU-c", "GPU-d"}),
                                          rank_on(0, {"GPU-e", "GPU-f"})};
  EXPECT_EQ(indices(choose_devices(DeviceKind::cuda, ranks)), (std::vector<int>{0, 0, 0}));
}

TEST(DevicePlan, EqualUuidsOfTwoHostsAreTwoGpus) {
  const std::vector<RankDevices> ranks = {rank_on(0, {"GPU-a"}), rank_on(1, {"GPU-a"})};
  EXPECT_EQ(indices(choose_devices(DeviceKind::cuda, ranks)), (std::vector<int>{0, 0}));
}

TEST(DevicePlan, TwoRanksOfOneGpuAreRefused) {
  const std::vector<RankDevices> ranks = {rank_on(0, {"GPU-a"}), rank_on(0, {"GPU-a"})};
  for (const DeviceKind asked : {DeviceKind::cuda, DeviceKind::automatic})
    expect_refused(asked, ranks,
                   {"2 ranks run on node0", "rank 1 sees only one GPU", "GPU-a is rank 0's", "--device cpu"});
}

TEST(DevicePlan, MoreRanksThanGpusAreRefused) {
  const std::vector<RankDevices> ranks(3, rank_on(0, {"GPU-a", "GPU-b"}));
  expect_refused(DeviceKind::automatic, ranks, {"3 ranks run on node0", "2 GPUs", "mpirun -n"});
}

TEST(DevicePlan, AutomaticIsTheSameKindEverywhere) {
  const std::vector<RankDevices> none = {rank_on(0, {}), rank_on(1, {})};
  EXPECT_EQ(choose_devices(DeviceKind::automatic, none),
            (std::vector<DevicePlan>(2, {DeviceKind::cpu, 0, "CPU"})));
  const std::vector<RankDevices> mixed = {rank_on(0, {"GPU-a"}), rank_on(1, {})};
  expect_refused(DeviceKind::automatic, mixed, {"rank 0 on node0", "rank 1 on node1", "no NVIDIA driver"});
  EXPECT_EQ(indices(choose_devices(DeviceKind::cpu, mixed)), (std::vector<int>{-1, -1}));
}

TEST(DevicePlan, CudaWithoutGpuNamesTheHostAndTheReason) {
  const std::vector<RankDevices> mixed = {rank_on(0, {"GPU-a"}), rank_on(1, {})};
  expect_refused(DeviceKind::cuda, mixed,
                 {"--device cuda", "rank 1 on node1", "no NVIDIA driver", "--device cpu"});
}

}  // namespace
}  // namespace convoy
