// What the GPU that a benchmark runs on is, and what it reaches in practice: the figures that times are held
// against. For the programs of this folder only.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "device/cuda/memory.hpp"
#include "engine/cuda/map.hpp"
#include "passes.hpp"

namespace convoy::gpu_benchmark {

struct DeviceFacts {
  std::string name;
  int major = 0, minor = 0;  // compute capability
  int processors = 0;        // streaming multiprocessors
  std::size_t level2_bytes = 0, memory_bytes = 0;
  bool emulated = false;  // no device of NVIDIA's: its times say nothing
};
DeviceFacts device_facts();  // of the current device

// NVIDIA's data sheet (dense rates), where the device's name is a known one.
std::optional<Hardware> data_sheet(const DeviceFacts& facts, Precision precision);

// Bytes a second, read and written counted, of cudaMemcpyAsync from device to device of 1 GiB (`small`: 1
// MiB).
double copy_bandwidth(bool small);

// Bytes a second of cudaMemcpyAsync from page-locked host memory to the device, of 256 MiB (`small`: 1 MiB):
// what feeds a step's images.
double host_to_device_bandwidth(bool small);

// Floating-point operations a second of cuBLASLt's product of square matrices of 8192 (`small`: 64) random
// numbers.
double matrix_product_rate(Precision precision, bool small);

// What floors are computed with: the bandwidth of a copy, and the data sheet's rate or, for an unknown
// device, that of the matrix product.
Hardware fair_hardware(const DeviceFacts& facts, Precision precision, bool small);

// Device memory with numbers between −1 and 1 of `element` everywhere.
cuda::DeviceMemory random_memory(std::size_t elements, cuda::Element element);
cuda::DeviceMemory zero_memory(std::size_t bytes);

}  // namespace convoy::gpu_benchmark
