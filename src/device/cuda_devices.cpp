#include "device/cuda_devices.hpp"

#include <exception>

#include "device/cuda_module.hpp"

namespace convoy {

CudaDevices find_cuda_devices(bool free_memory) {
  CudaDevices found;
  const CudaModule module;
  if (!module.refusal().empty()) {
    found.refusal = module.refusal();
    return found;
  }
  try {
    module.entry<ConvoyListCudaDevices>("convoy_list_cuda_devices")(free_memory, found);
  } catch (const std::exception& error) {
    found.devices.clear();
    found.refusal = error.what();
  }
  return found;
}

}  // namespace convoy
