// Which device each rank computes on. Used at the start of training, evaluation and prediction, before a
// replica is made.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "device/cuda_devices.hpp"
#include "engine/engine.hpp"

namespace convoy {

struct DevicePlan {
  DeviceKind kind = DeviceKind::cpu;  // never automatic; the same on every rank
  int index = 0;                      // of the GPU among those that this process sees
  std::string description;            // "NVIDIA H100 80GB HBM3 (GPU-…)", "CPU"

  bool operator==(const DevicePlan&) const = default;
};

// This rank's device; collective. `asked`: what --device says. Throws ExitCode::usage on every rank, before
// NCCL is asked for anything, when there is no good plan (see choose_devices).
DevicePlan plan_device(DeviceKind asked, Communicator& communicator);

// What a rank sees.
struct RankDevices {
  int node = 0;  // ranks of one node have the same number
  std::string host;
  std::vector<CudaDevice> devices;
  std::string refusal;  // why it sees no GPU
};

// The pure part: the plan of every rank. `automatic` becomes cuda where all ranks see GPUs and cpu where none
// does. A rank takes the first of the GPUs it sees that no lower rank of its node took (GPUs are told apart
// by UUID): with one visible GPU (Slurm's --gpus-per-task=1) that one, with all of a node's its local rank's.
//
// Throws ExitCode::usage when cuda is asked for and a rank sees no GPU; when automatic and only some do; when
// a rank's GPUs are all taken: two ranks of one GPU would wait for each other in NCCL.
std::vector<DevicePlan> choose_devices(DeviceKind asked, std::span<const RankDevices> ranks);

}  // namespace convoy
