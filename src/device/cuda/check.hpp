// Turns the status of a call of CUDA into an exception. For device/cuda, engine/cuda and comm/nccl only.
#pragma once

#include <cuda_runtime_api.h>

#include <source_location>

namespace convoy::cuda {

// Throws ExitCode::device naming `what`, the error's name and text, and where; a device that is out of memory
// is DeviceMemory's affair (it says more).
void check(cudaError_t status, const char* what,
           std::source_location where = std::source_location::current());

}  // namespace convoy::cuda
