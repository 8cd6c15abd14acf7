// The whole program behind `main`: finds the command, reads its options, starts MPI when the command works on
// ranks, and turns errors into messages and exit codes. A mistake in the options is told once, by rank 0.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"

namespace convoy {

// Arguments without the program's own name. Never throws.
ExitCode run_program(int* argc, char*** argv) noexcept;

}  // namespace convoy
