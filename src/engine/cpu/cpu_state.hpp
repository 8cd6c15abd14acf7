// What a CPU replica owns and its programs share. Programs keep a reference: the replica outlives them.
#pragma once

#include <cstdint>
#include <vector>

#include "base/timeline.hpp"
#include "device/aligned_buffer.hpp"
#include "engine/cpu/onednn.hpp"
#include "engine/cpu/weight_copies.hpp"
#include "engine/engine.hpp"
#include "engine/tuning/tuner.hpp"

namespace convoy::cpu {

struct CpuState {
  NetSpec spec;
  InputSpec input;
  ParameterTable table;
  int threads = 1;
  Backing backing = Backing::memory;  // of everything large
  Tuner tuner;
  Library library;
  AlignedBuffer parameters, gradients;  // float32, table.size() elements; no gradients for inference
  std::vector<AlignedBuffer> slots;     // the optimiser's; none for inference
  AlignedBuffer added_gradients;        // of one micro-batch; made when gradients are first accumulated
  WeightCopies copies;
  std::int64_t parameter_version = 0;
  TimelineRow* row = nullptr;  // where operations of training passes are recorded; null: nowhere
  BatchMetrics step_metrics;   // of all training passes since the last update

  CpuState(const NetSpec& network, const InputSpec& input_spec, const ReplicaOptions& options);
  // For training, with gradients and the optimiser's slots.
  CpuState(const NetSpec& network, const InputSpec& input_spec, const ReplicaOptions& options,
           OptimizerRule optimizer);

  bool trains() const { return gradients.size() > 0; }

  // Makes OpenMP (ours and oneDNN's) use this replica's threads in the calling thread.
  void use_threads() const;
};

}  // namespace convoy::cpu
