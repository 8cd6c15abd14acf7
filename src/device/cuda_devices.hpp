// The GPUs that this process may use. Used by train/ (which rank takes which), `convoy doctor` and
// engine/engine.cpp (whether --device auto means a GPU).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace convoy {

struct CudaDevice {
  int index = 0;                              // among the visible ones
  std::string name;                           // "NVIDIA H100 80GB HBM3"
  std::string uuid;                           // "GPU-…": the same for every process that sees this device
  std::int64_t memory = 0, free_memory = -1;  // bytes; free_memory −1: not asked for
  int major = 0, minor = 0;                   // compute capability
};

struct CudaDevices {
  std::vector<CudaDevice> devices;
  std::string refusal;  // why there are none: no module, no driver, a driver too old, no device
  // "CUDA runtime 13.0, cuDNN 9.14.0, cuBLAS 13.1.0, NCCL 2.28.3": what the module works with; empty without
  // it.
  std::string versions;
  std::string driver;  // "driver for CUDA 13.0", "no driver"; empty without module
};

// Never throws; each call asks the system anew. Initialises CUDA in this process, but makes no context on any
// device, unless `free_memory` is asked for: that takes one on each (some 0.5 GB there until the process
// ends).
CudaDevices find_cuda_devices(bool free_memory = false);

// Entry point of the module, implemented in device/cuda/device_list.cpp.
extern "C" {
using ConvoyListCudaDevices = void(bool free_memory, CudaDevices& result);  // "convoy_list_cuda_devices"
}

}  // namespace convoy
