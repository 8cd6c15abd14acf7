#include "device/cuda/memory.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/error.hpp"
#include "device/cuda/check.hpp"

namespace convoy::cuda {

namespace {

std::string gibibytes(std::size_t bytes) {
  return fmt::format("{:.2f} GiB", static_cast<double>(bytes) / (1 << 30));
}

[[noreturn]] void refuse_device_memory(std::size_t bytes, std::string_view purpose) {
  int device = 0;
  cudaGetDevice(&device);
  const MemoryFacts facts = memory_facts();
  throw OutOfDeviceMemory(fmt::format(
      "GPU {} is out of memory: {} ({} bytes) asked for {}, {} of its {} are free; take a smaller batch "
      "(--global-batch, --accumulate) or more GPUs, and look with nvidia-smi whether another program uses "
      "this one",
      device, gibibytes(bytes), bytes, purpose, gibibytes(facts.free), gibibytes(facts.total)));
}

// Page-locked memory of `bytes`, seen by every device of the process; null where the system gives none.
void* allocate_pinned(std::size_t bytes) {
  void* memory = nullptr;
  const cudaError_t status = cudaHostAlloc(&memory, bytes, cudaHostAllocPortable | cudaHostAllocMapped);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  check(status, "allocating page-locked memory");
  return memory;
}

[[noreturn]] void refuse_pinned_memory(std::size_t bytes, std::string_view purpose) {
  fail(ExitCode::device,
       "the system gave no {} ({} bytes) of page-locked memory for {}; look at the host's free memory and "
       "its limits (ulimit -l, the job's --mem)",
       gibibytes(bytes), bytes, purpose);
}

}  // namespace

DeviceMemory::DeviceMemory(std::size_t bytes, std::string_view purpose) : size_(bytes) {
  if (bytes == 0) return;
  void* memory = nullptr;
  const cudaError_t status = cudaMalloc(&memory, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // not a defect of the device: taken off, so that no later call reports it
    refuse_device_memory(bytes, purpose);
  }
  check(status, "allocating device memory");
  data_ = static_cast<std::byte*>(memory);
}

DeviceMemory::~DeviceMemory() {
  if (data_ != nullptr) cudaFree(data_);
}

DeviceMemory::DeviceMemory(DeviceMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

DeviceMemory& DeviceMemory::operator=(DeviceMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

PinnedMemory::PinnedMemory(std::size_t bytes, std::string_view purpose) : size_(bytes) {
  if (bytes == 0) return;
  data_ = static_cast<std::byte*>(allocate_pinned(bytes));
  if (data_ == nullptr) refuse_pinned_memory(bytes, purpose);
}

PinnedMemory::~PinnedMemory() {
  if (data_ != nullptr) cudaFreeHost(data_);
}

PinnedMemory::PinnedMemory(PinnedMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

PinnedMemory& PinnedMemory::operator=(PinnedMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

void* PinnedResource::do_allocate(std::size_t bytes, std::size_t /*alignment*/) {
  // A loader's threads have no device of their own: without this they would make a context on GPU 0.
  use_device(device_);
  void* memory = allocate_pinned(bytes == 0 ? 1 : bytes);  // starts on a page: any alignment asked for holds
  if (memory == nullptr) refuse_pinned_memory(bytes, "batches of the loader");
  return memory;
}

void PinnedResource::do_deallocate(void* memory, std::size_t /*bytes*/, std::size_t /*alignment*/) {
  cudaSetDevice(device_);
  cudaFreeHost(memory);
}

MemoryFacts memory_facts() {
  MemoryFacts facts;
  check(cudaMemGetInfo(&facts.free, &facts.total), "asking for the free memory");
  return facts;
}

void use_device(int device) {
  check(cudaSetDevice(device), "choosing the device");
}

}  // namespace convoy::cuda
