// The whole program behind `main`: finds the command, reads its options, starts MPI when the command works on
// ranks, and turns errors into messages and exit codes. A mistake in the options is told once, by the lowest
// rank that has it.
#pragma once

#include "base/error.hpp"

namespace convoy {

// `argc` and `argv`: main's, which MPI may change. Never throws.
ExitCode run_program(int* argc, char*** argv) noexcept;

}  // namespace convoy
