// Owners of device memory and of page-locked host memory. For device/cuda, engine/cuda and comm/nccl only.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace convoy::cuda {

// Thrown (category ExitCode::device) when a device has not enough memory: names what was asked for and why,
// and what is free and what the device has. A caller that knows the batch adds the batch that would fit.
class OutOfDeviceMemory final : public Error {
 public:
  explicit OutOfDeviceMemory(const std::string& message) : Error(ExitCode::device, message) {}
};

class DeviceMemory {
 public:
  DeviceMemory() = default;
  // `bytes` of the current device; 0: empty. Errors include `purpose` ("activations of a batch of 256").
  // The memory is not initialised.
  DeviceMemory(std::size_t bytes, std::string_view purpose);
  ~DeviceMemory();
  DeviceMemory(DeviceMemory&& other) noexcept;
  DeviceMemory& operator=(DeviceMemory&& other) noexcept;

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(data_);
  }
  template <typename T>
  std::span<T> elements() const {
    return {reinterpret_cast<T*>(data_), size_ / sizeof(T)};
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// Page-locked, readable and writable by kernels too.
class PinnedMemory {
 public:
  PinnedMemory() = default;
  PinnedMemory(std::size_t bytes, std::string_view purpose);
  ~PinnedMemory();
  PinnedMemory(PinnedMemory&& other) noexcept;
  PinnedMemory& operator=(PinnedMemory&& other) noexcept;

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// For containers of a loader: page-locked memory by way of std::pmr. Thread-safe.
class PinnedResource final : public std::pmr::memory_resource {
 public:
  explicit PinnedResource(int device) : device_(device) {}

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
  int device_;
};

struct MemoryFacts {
  std::size_t free = 0, total = 0;
};
MemoryFacts memory_facts();  // of the current device

// Makes `device` current for the calling thread. Throws ExitCode::device.
void use_device(int device);

}  // namespace convoy::cuda
