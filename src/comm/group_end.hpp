// How a group of ranks ends after an error on one of them or on all. Used by `main` for errors that reach it,
// and by the trainer before it releases resources that its peers depend on.
#pragma once

#include <string>

#include "base/error.hpp"
#include "base/log.hpp"
#include "comm/communicator.hpp"

namespace convoy {

// If all ranks had the same error (a missing store), it is reported once and its code returned. If their
// errors differ, each rank reports its own, and all end with one code. Otherwise this rank reports its error
// and ends the others: MPI_Abort with the error's code, which mpirun then exits with.
ExitCode end_group(Communicator& communicator, const Log& log, const Error& error);

// The second half of end_group only: returns if all ranks had an error, ends the group if this rank is the
// only one. For a rank that holds a resource that the others wait for (NCCL's communicator): if it were
// released first, they would detect a lost peer, and their error would hide this one.
// `advice`: what the user should do, added to the message.
void end_group_unless_all_failed(Communicator& communicator, const Log& log, const Error& error,
                                 const std::string& advice = {});

}  // namespace convoy
