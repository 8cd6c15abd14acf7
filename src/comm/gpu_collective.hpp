// The data plane of GPUs, on the program's side: NCCL from the CUDA module, or MPI through page-locked host
// memory. Used by make_collective (collective.hpp).
#pragma once

#include <memory>
#include <span>
#include <string>

#include "comm/collective.hpp"

namespace convoy {

// Page-locked copies between a device buffer and the host, from the module, for sums by MPI. Used by one
// thread, the owner of the device's streams. Members throw ExitCode::device.
class HostStage {
 public:
  virtual ~HostStage() = default;
  // Starts to copy a device slice to its place on the host, after the work that the compute stream holds now.
  // Returns that place.
  virtual std::span<float> fetch(std::span<float> device_slice) = 0;
  // Whether the oldest fetch that was not yet reported is complete.
  virtual bool arrived() = 0;
  // Copies a host place back; the compute stream continues only after it.
  virtual void put_back(std::span<float> device_slice) = 0;
};

// Every rank's arguments to the module's NCCL part.
struct NcclOptions {
  std::string id;  // of nccl_unique_id, made by rank 0 and broadcast
  int rank = 0, ranks = 1;
  int device_index = 0;
  DeviceStream compute;
  WirePrecision wire = WirePrecision::fp32;
  float wire_scale = 1;
  bool deterministic = false;
  std::size_t largest_slice = 0;  // elements: maximum of a bucket, for the scratch of a narrower wire
  double connect_seconds = 0;     // see CollectiveOptions
  SumMarks mark_sums;             // the same
};

// Entry points of the module, implemented in comm/nccl/. They throw ExitCode::device, naming NCCL's call, its
// error and its last message.
extern "C" {
using ConvoyNcclUniqueId = void(std::string& id);  // "convoy_nccl_unique_id"
using ConvoyMakeNccl = void(const NcclOptions&, std::unique_ptr<Collective>& result);  // "convoy_make_nccl"
using ConvoyMakeHostStage = void(DeviceStream compute, std::span<float> device_buffer,
                                 std::unique_ptr<HostStage>& result);  // "convoy_make_host_stage"
}

// The transport for a gradient in device memory over at least two ranks; `options.kind` may be automatic
// (NCCL). Collective: if one rank fails, all fail. Throws ExitCode::usage without a CUDA module.
std::unique_ptr<Collective> make_gpu_collective(Communicator& communicator, const CollectiveOptions& options);

}  // namespace convoy
