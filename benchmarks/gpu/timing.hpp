// Times what is enqueued on a stream, by the device's own events, and prints it beside its floor. For the
// programs of this folder only.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <string>
#include <vector>

#include "device/cuda/memory.hpp"
#include "device/cuda/stream.hpp"
#include "passes.hpp"
#include "records.hpp"

namespace convoy::gpu_benchmark {

using Enqueue = std::function<void(cudaStream_t)>;

struct Case {
  std::string name;
  double bytes = 0, flops = 0;  // that it must move and make at the least
  Enqueue run;
  double floor = 0;  // seconds; 0: the larger of what bytes and FLOPs need
};

// Every sample begins with cold caches (a buffer larger than the second-level cache is written first, outside
// the measured time), as in a step, where other layers' maps have passed through them.
class Timer {
 public:
  // `small`: few rounds and a small buffer, to see that a benchmark works.
  // `stream`: where cases enqueue; by default a stream of its own.
  explicit Timer(bool small, cudaStream_t stream = nullptr);

  // The median of the rounds for each case; all cases take turns in every round, after rounds that warm up.
  std::vector<double> median_seconds(const std::vector<Case>& cases);
  double median_seconds(const Enqueue& run);

 private:
  double sample(const Enqueue& run);

  int rounds_, warm_up_rounds_;
  cuda::Stream own_;
  cudaStream_t stream_;
  cuda::Event begin_, end_;
  cuda::DeviceMemory flush_;
};

// A Markdown table: time, bytes, floor and what part of the time the floor is. `records` gets an entry for
// each case, whose id begins with `prefix`.
void print_cases(const std::vector<Case>& cases, const std::vector<double>& seconds, const Hardware& hardware,
                 const Records& records, const std::string& prefix);

}  // namespace convoy::gpu_benchmark
