// The GPUs that this process may use. Used by engine/ (which rank uses which; whether --device auto means a
// GPU) and `convoy doctor`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace convoy {

struct CudaDevice {
  int index = 0;                              // among the visible ones
  std::string name;                           // "NVIDIA H100 80GB HBM3"
  std::string uuid;                           // "GPU-…": the same for every process that sees this device
  std::int64_t memory = 0, free_memory = -1;  // bytes; free_memory −1: not queried
  int major = 0, minor = 0;                   // compute capability
};

struct CudaDevices {
  std::vector<CudaDevice> devices;
  std::string refusal;  // why there are none: no module, no driver, a driver too old, no device
  // "CUDA runtime 13.0, cuDNN 9.14.0, cuBLAS 13.1.0, NCCL 2.28.3": the module's libraries; empty without
  // module.
  std::string versions;
  std::string driver;  // "driver for CUDA 13.0", "no driver"; empty without module
};

// Never throws; each call queries the system again. Initialises CUDA in this process, but creates no context
// on any device unless `free_memory` is set, which creates one on each (some 0.5 GB there until the process
// ends).
CudaDevices find_cuda_devices(bool free_memory = false);

// Entry point of the module, implemented in device/cuda/device_list.cpp.
extern "C" {
using ConvoyListCudaDevices = void(bool free_memory, CudaDevices& result);  // "convoy_list_cuda_devices"
}

}  // namespace convoy
