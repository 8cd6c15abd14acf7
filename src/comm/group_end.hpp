// How a group of ranks ends when something went wrong on one of them or on all. Used by cli/program.cpp for
// errors that reach it, and by the trainer before it lets go of what its peers depend on.
#pragma once

#include "base/error.hpp"
#include "base/log.hpp"
#include "comm/communicator.hpp"

namespace convoy {

// Where all other ranks meet the same error (a store that is missing) it is told once and its code returned.
// Where they meet others each rank tells its own, and all end with one code. Otherwise this rank tells its
// error and takes the others with it: MPI_Abort with the error's code, which is the one that mpirun then ends
// with.
ExitCode end_group(Communicator& communicator, const Log& log, const Error& error);

// The second half of end_group alone: returns where all ranks met an error, ends the group where this is the
// only one. For a rank that holds what the others wait for (NCCL's communicator): were it let go first, they
// would see a lost peer, and their error would hide this one.
void end_group_unless_all_failed(Communicator& communicator, const Log& log, const Error& error);

}  // namespace convoy
