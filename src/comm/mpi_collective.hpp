// The data plane in host memory: sums by MPI. Used by make_collective, by gpu_collective.cpp for gradients
// that are summed through the host, and by the all-reduce measurement of `convoy doctor`.
#pragma once

#include <memory>

#include "comm/collective.hpp"

namespace convoy {

// Sums host memory over `communicator` by MPI; with one rank nothing is sent. `spare_core`: whether a
// communication thread gets a core of its own (needs MPI_THREAD_MULTIPLE). `timeline`: as in
// CollectiveOptions.
std::unique_ptr<Collective> make_mpi_collective(Communicator& communicator, bool spare_core,
                                                Timeline* timeline = nullptr);

}  // namespace convoy
