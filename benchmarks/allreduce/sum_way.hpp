// The ways in which benchmark_allreduce sums a buffer over all ranks: MPI_Allreduce, Convoy's own sum by MPI,
// and NCCL between GPUs.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "comm/collective.hpp"

namespace convoy::benchmark {

// A buffer on every rank. Members are collective and throw ExitCode::device.
class SumWay {
 public:
  virtual ~SumWay() = default;
  virtual std::string how() const = 0;  // "convoy", "convoy-thread", "mpi_allreduce", "nccl"

  // The buffer's first elements, from and to host memory; waits for the device.
  virtual void write(std::span<const float> values) = 0;
  virtual void read(std::span<float> values) = 0;

  // Sums the first `elements` in place, cut into pieces of `bucket` elements: all are started before the
  // first is waited for, as in a training step. On a GPU it only enqueues.
  virtual void sum(std::size_t elements, std::size_t bucket) = 0;
  virtual void wait() {}  // until all sums are done
};

struct WayOptions {
  std::vector<std::string> hows;  // empty: all of the transport
  std::size_t elements = 0;       // of the buffer
  WirePrecision wire = WirePrecision::fp32;
};

// In host memory, by MPI. Throws ExitCode::usage for a way that there is not.
std::vector<std::unique_ptr<SumWay>> make_mpi_ways(Communicator& communicator, const WayOptions& options);

// In the memory of GPU `device_index`, by NCCL. Throws ExitCode::usage where the CUDA module or a GPU is
// missing, or for a way that there is not.
std::vector<std::unique_ptr<SumWay>> make_gpu_ways(Communicator& communicator, const WayOptions& options,
                                                   int device_index);

}  // namespace convoy::benchmark
