// What the CUDA module says of the GPUs and of its libraries.
#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>
#include <fmt/format.h>
#include <nccl.h>

#include "device/cuda/check.hpp"
#include "device/cuda/memory.hpp"
#include "device/cuda_devices.hpp"

namespace convoy::cuda {
namespace {

// 13000 is 13.0.
std::string cuda_version(int number) {
  return fmt::format("{}.{}", number / 1000, number % 1000 / 10);
}

// 0 without a driver.
int driver_version() {
  int version = 0;
  if (cudaDriverGetVersion(&version) != cudaSuccess) {
    cudaGetLastError();
    return 0;
  }
  return version;
}

int runtime_version() {
  int version = 0;
  check(cudaRuntimeGetVersion(&version), "asking for the version of the CUDA runtime");
  return version;
}

// Three numbers that a library packs into one.
std::string packed_version(std::size_t number, std::size_t major_unit) {
  return fmt::format("{}.{}.{}", number / major_unit, number % major_unit / 100, number % 100);
}

std::string library_versions() {
  int nccl = 0;
  if (ncclGetVersion(&nccl) != ncclSuccess) nccl = 0;
  return fmt::format("CUDA runtime {}, cuDNN {}, cuBLAS {}, NCCL {}", cuda_version(runtime_version()),
                     packed_version(cudnnGetVersion(), 10000), packed_version(cublasLtGetVersion(), 10000),
                     packed_version(static_cast<std::size_t>(nccl), 10000));
}

// Why the runtime counts no devices.
std::string counting_refusal(cudaError_t status) {
  const int driver = driver_version();
  switch (status) {
    case cudaErrorInsufficientDriver:
      if (driver == 0)
        return "no NVIDIA driver is loaded on this machine (nvidia-smi shows one that is): start on a node "
               "with GPUs";
      return fmt::format(
          "NVIDIA's driver on this machine is too old: it knows CUDA {}, this build of Convoy uses {}; "
          "update the driver, or build with an older CUDA toolkit",
          cuda_version(driver), cuda_version(runtime_version()));
    case cudaErrorNoDevice:
      return "the NVIDIA driver offers no GPU to this process: look at nvidia-smi, at CUDA_VISIBLE_DEVICES "
             "and at what the job asked for (Slurm: --gpus-per-task)";
    default:
      return fmt::format("CUDA does not start on this machine: {} ({})", cudaGetErrorString(status),
                         cudaGetErrorName(status));
  }
}

// As nvidia-smi writes it.
std::string uuid_text(const cudaUUID_t& uuid) {
  std::string text = "GPU";
  for (int i = 0; i < 16; ++i) {
    if (i == 0 || i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", static_cast<unsigned char>(uuid.bytes[i]));
  }
  return text;
}

CudaDevice describe(int index) {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, index), "asking for a device's properties");
  CudaDevice device;
  device.index = index;
  device.name = properties.name;
  device.uuid = uuid_text(properties.uuid);
  device.memory = static_cast<std::int64_t>(properties.totalGlobalMem);
  device.major = properties.major;
  device.minor = properties.minor;
  return device;
}

}  // namespace
}  // namespace convoy::cuda

extern "C" void convoy_list_cuda_devices(bool free_memory, convoy::CudaDevices& result) {
  using namespace convoy::cuda;
  const int driver = driver_version();
  result.versions = library_versions();
  result.driver = driver == 0 ? "no driver" : "driver for CUDA " + cuda_version(driver);
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count == 0) {
    cudaGetLastError();
    result.refusal = counting_refusal(status == cudaSuccess ? cudaErrorNoDevice : status);
    return;
  }
  int current = 0;
  check(cudaGetDevice(&current), "asking for the current device");
  for (int index = 0; index < count; ++index) {
    result.devices.push_back(describe(index));
    if (!free_memory) continue;
    use_device(index);
    result.devices.back().free_memory = static_cast<std::int64_t>(memory_facts().free);
  }
  if (free_memory) use_device(current);
}
