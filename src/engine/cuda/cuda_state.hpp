// What a CUDA replica owns and lends to its programs: the network, the device and its streams, library
// handles, the flat buffers and the small structures that kernels keep between passes. A replica
// owns it (cuda_replica.hpp); what a program sees of it is ProgramResources.
//
// Streams. Passes run on `compute`; batches and update parameters reach the device on `copy`, so that they
// travel while earlier steps compute. Both have ordinary priority, below the collective's. What is updated
// while backward goes on runs on `update`, below both; `compute` waits for it before the step ends. Gradients
// of weights may run on a stream of `branch`, between two waits of `compute`.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "device/cuda/memory.hpp"
#include "device/cuda/stream.hpp"
#include "engine/cuda/cuda_builder.hpp"
#include "engine/cuda/kernels.hpp"
#include "engine/cuda/libraries.hpp"
#include "engine/cuda/parameter_layout.hpp"
#include "engine/cuda/side_branch.hpp"
#include "engine/engine.hpp"
#include "engine/tuning/tuner.hpp"

namespace convoy::cuda {

struct CudaState {
  // Makes the device current, allocates and empties the flat buffers. Throws ExitCode::device.
  CudaState(const NetSpec& network, const InputSpec& input_spec, const ReplicaOptions& replica_options);
  // For training, with gradients and the optimiser's slots.
  CudaState(const NetSpec& network, const InputSpec& input_spec, const ReplicaOptions& replica_options,
            OptimizerRule optimizer);
  ~CudaState();  // waits for all streams
  CudaState(const CudaState&) = delete;
  CudaState& operator=(const CudaState&) = delete;

  const NetSpec spec;
  const InputSpec input;
  const ParameterTable table;
  const ReplicaOptions options;
  const ParameterLayout order;
  const std::unique_ptr<Tuner> tuner;

  int major = 0, minor = 0;  // compute capability

  Stream compute, copy, update;
  Libraries libraries;
  // Where the tuner may choose it for gradients of weights; else null.
  std::unique_ptr<SideBranch> branch;

  // Flat buffers, float32, table.size() elements, in the order that `layout` says; for inference without
  // gradients and slots.
  DeviceMemory parameters, gradients;
  std::vector<DeviceMemory> slots;
  Layout layout = Layout::channels_first;

  // The same parameters in a 16-bit format, element for element; kept up by writes and updates. Empty until a
  // program needs them. By Element; that of float32 stays empty.
  std::array<DeviceMemory, 3> copies;

  // Small structures in device memory.
  MetricSums* sums = nullptr;  // of training passes since the last update
  LossScaleState* loss_scale = nullptr;
  UpdateControl* control = nullptr;
  double* block_sums = nullptr;  // inspection_blocks(table.size())

  std::function<void(std::size_t end)> parameters_free;  // ProgramResources'

  bool trains() const { return gradients.size() > 0; }

  // Brings the flat buffers into `wanted`; no program of the other layout may exist.
  void use_layout(Layout wanted);
  // Makes and fills copies[element]; nothing for float32. Whether it made them.
  bool need_copy(Element element);
  // What a program of `precision` is given.
  ProgramResources resources(Precision precision) const;

  ReplicaMemory memory_use() const;
  void use_device() const;   // makes the device current for the calling thread
  void synchronise() const;  // waits for all streams

  // Canonical flat values into a flat buffer and back; wait for the device.
  void write(const DeviceMemory& target, std::span<const float> values);
  void read(const DeviceMemory& source, std::span<float> values) const;

 private:
  std::vector<const DeviceMemory*> flat_buffers() const;
  void refresh_copy(Element element);
  void empty(const DeviceMemory& buffer) const;

  DeviceMemory small_;
};

}  // namespace convoy::cuda
