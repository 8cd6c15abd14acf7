// The data plane: sums slices of the flat gradient buffer over all ranks, in place, while backward still
// runs. On the CPU it is MPI (a communication thread where a core is spare, else non-blocking all-reduces
// progressed from the compute thread); on GPUs NCCL. Used by train/'s GradientReducer.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "comm/communicator.hpp"

namespace convoy {

class Collective {
 public:
  virtual ~Collective() = default;
  virtual std::string_view name() const = 0;  // "mpi", "nccl", "none" (one rank)

  // Begins to sum `slice` over all ranks, in place; every rank calls with the same sequence of sizes. The
  // slice may not be touched until it was reported by finish_next.
  virtual void start(std::span<float> slice) = 0;

  // Lets transfers under way advance; cheap, never blocks.
  virtual void progress() = 0;

  // Waits for the oldest started slice that was not yet waited for. Throws ExitCode::device on failure.
  virtual void finish_next() = 0;
};

// Sums over `communicator` by MPI; with one rank nothing is sent. `spare_core`: whether a communication
// thread gets a core of its own (needs MPI_THREAD_MULTIPLE).
std::unique_ptr<Collective> make_mpi_collective(Communicator& communicator, bool spare_core);

}  // namespace convoy
