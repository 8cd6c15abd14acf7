#include "engine/device_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/host_name.hpp"
#include "comm/gather.hpp"

namespace convoy {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CudaDevice, index, name, uuid)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RankDevices, node, host, devices, refusal)

namespace {

using Ranks = std::span<const RankDevices>;

std::size_t first_rank_without_gpu(Ranks ranks) {
  const auto found =
      std::find_if(ranks.begin(), ranks.end(), [](const RankDevices& rank) { return rank.devices.empty(); });
  return static_cast<std::size_t>(found - ranks.begin());
}

DeviceKind resolve(DeviceKind asked, Ranks ranks) {
  if (asked == DeviceKind::cpu) return asked;
  const std::size_t without = first_rank_without_gpu(ranks);
  if (without == ranks.size()) return DeviceKind::cuda;
  const RankDevices& lacking = ranks[without];
  if (asked == DeviceKind::cuda)
    fail(ExitCode::usage, "--device cuda: rank {} on {}: {}; or use --device cpu", without, lacking.host,
         lacking.refusal);
  const auto with =
      std::find_if(ranks.begin(), ranks.end(), [](const RankDevices& rank) { return !rank.devices.empty(); });
  if (with == ranks.end()) return DeviceKind::cpu;
  fail(ExitCode::usage,
       "--device auto: rank {} on {} has a GPU, rank {} on {} has none ({}); all ranks of a run compute on "
       "the same kind of device: start it on hosts with GPUs, or use --device cpu",
       with - ranks.begin(), with->host, without, lacking.host, lacking.refusal);
}

[[noreturn]] void refuse_shared_gpu(Ranks ranks, std::size_t rank,
                                    const std::map<std::string, std::size_t>& taken) {
  const RankDevices& mine = ranks[rank];
  const CudaDevice& device = mine.devices.front();
  const auto on_host = std::count_if(ranks.begin(), ranks.end(),
                                     [&](const RankDevices& other) { return other.node == mine.node; });
  fail(ExitCode::usage,
       "--device cuda: {} ranks run on {}, but rank {} sees {} there that no other rank took ({}, {} is rank "
       "{}'s); a GPU computes for one rank: start at most one rank a GPU (launch/local does; mpirun -n; "
       "Slurm: --ntasks-per-node with --gpus-per-task=1), look at CUDA_VISIBLE_DEVICES, or use --device cpu",
       on_host, mine.host, rank,
       mine.devices.size() == 1 ? "only one GPU, none" : fmt::format("{} GPUs, none", mine.devices.size()),
       device.name, device.uuid, taken.at(device.uuid));
}

}  // namespace

std::vector<DevicePlan> choose_devices(DeviceKind asked, Ranks ranks) {
  if (resolve(asked, ranks) == DeviceKind::cpu)
    return std::vector<DevicePlan>(ranks.size(), {DeviceKind::cpu, 0, "CPU"});
  std::vector<DevicePlan> plans;
  std::map<int, std::map<std::string, std::size_t>> taken;  // of each node: UUID, its rank
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    auto& of_node = taken[ranks[rank].node];
    const auto& devices = ranks[rank].devices;
    const auto free = std::find_if(devices.begin(), devices.end(), [&](const CudaDevice& device) {
      return of_node.find(device.uuid) == of_node.end();
    });
    if (free == devices.end()) refuse_shared_gpu(ranks, rank, of_node);
    of_node[free->uuid] = rank;
    plans.push_back({DeviceKind::cuda, free->index, fmt::format("{} ({})", free->name, free->uuid)});
  }
  return plans;
}

DevicePlan plan_device(DeviceKind asked, Communicator& communicator) {
  RankDevices mine;
  mine.node = communicator.node();
  mine.host = host_name();
  if (asked != DeviceKind::cpu) {
    CudaDevices found = find_cuda_devices();
    mine.devices = std::move(found.devices);
    mine.refusal = std::move(found.refusal);
    std::replace(mine.refusal.begin(), mine.refusal.end(), '\n', ' ');
  }
  return choose_devices(asked, gather(communicator, mine))[static_cast<std::size_t>(communicator.rank())];
}

}  // namespace convoy
