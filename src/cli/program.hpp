// The whole program behind `main`: finds the command, reads its options, starts MPI if the command runs on
// ranks, and converts errors to messages and exit codes. An error in the options is reported once, by the
// lowest rank that has it.
#pragma once

#include "base/error.hpp"

namespace convoy {

// `argc` and `argv`: main's, which MPI may change. Never throws.
ExitCode run_program(int* argc, char*** argv) noexcept;

}  // namespace convoy
