#include "comm/collective.hpp"

#include "comm/gpu_collective.hpp"
#include "comm/mpi_collective.hpp"

namespace convoy {

namespace {

// Rejects inconsistent options, before anything is allocated and for any number of ranks.
void check_options(const CollectiveOptions& options) {
  const bool on_gpu = options.compute.native != nullptr;
  if (options.kind == CollectiveKind::nccl && !on_gpu)
    fail(ExitCode::usage,
         "NCCL sums gradients of GPUs, but this run computes on the CPU: use --collective auto or mpi");
  const bool by_mpi = options.kind == CollectiveKind::mpi || !on_gpu;
  if (options.wire != WirePrecision::fp32 && by_mpi)
    fail(ExitCode::usage,
         "only NCCL sends gradients in 16 bits, but this run sums them by MPI: "
         "use --wire-precision fp32{}",
         on_gpu ? " or --collective nccl" : "");
}

}  // namespace

std::unique_ptr<Collective> make_collective(Communicator& communicator, const CollectiveOptions& options) {
  check_options(options);
  if (communicator.size() == 1 || options.compute.native == nullptr)
    return make_mpi_collective(communicator, options.spare_core, options.timeline);
  return make_gpu_collective(communicator, options);
}

}  // namespace convoy
