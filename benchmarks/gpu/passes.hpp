// What a training step must do at the least: for each pass over memory of each layer, the bytes it must move
// and the floating-point operations it must make. Pure arithmetic over a NetSpec, no device: used by the
// tables of benchmark_gpu_floors and, as the floor beside a measured time, by the other benchmarks of this
// folder.
//
// A pass reads each of its operands once from the device's memory and writes its result once; nothing is
// taken to stay in a cache between two passes, and no two passes run at once. A small batch may therefore
// beat its floor where an activation stays in the second-level cache (50 MB on an H100).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/optimizer_table.hpp"
#include "engine/training_replica.hpp"
#include "model/net_spec.hpp"

namespace convoy::gpu_benchmark {

struct Pass {
  std::string layer;  // "conv1", "pool1", "fc6", "loss", "all"
  Phase phase = Phase::forward;
  std::string what;            // "convolution", "weight gradient"
  double bytes_per_image = 0;  // activations, which grow with the batch
  double bytes_per_step = 0;   // weights, gradients, optimiser slots, which do not
  double flops_per_image =
      0;  // 2 for each multiply-accumulate of convolutions and fully connected layers; else 0

  double bytes(int batch) const { return bytes_per_image * batch + bytes_per_step; }
  double flops(int batch) const { return flops_per_image * batch; }
};

struct PassOptions {
  Precision precision = Precision::fp32;
  OptimizerRule optimizer = OptimizerRule::sgd;
  // ReLU, normalisation and pooling as one pass each way (engine/cuda/fused_pool.hpp); channels_last only, so
  // it says nothing in fp32.
  bool fused_pool = true;
};

// In the order in which a step makes them.
std::vector<Pass> training_passes(const NetSpec& spec, const PassOptions& options);

// What a device can do at the most.
struct Hardware {
  double bytes_per_second = 0;
  double flops_per_second = 0;  // dense, in the precision in question
};

// NVIDIA's data sheet of the H100 SXM5 80 GB: 3.35 TB/s; dense, without sparsity.
Hardware h100(Precision precision);

// The larger of the two times.
double floor_seconds(const Pass& pass, int batch, const Hardware& hardware);

// Sum over all passes.
struct Floor {
  double seconds = 0;  // passes one after the other, each at its own bound
  double bytes = 0, flops = 0;
  double memory_bound = 0;  // part of `seconds` in passes that memory bounds
};
Floor step_floor(const std::vector<Pass>& passes, int batch, const Hardware& hardware);

std::string_view precision_name(Precision precision);
Precision parsed_precision(std::string_view name);  // throws ExitCode::usage

}  // namespace convoy::gpu_benchmark
