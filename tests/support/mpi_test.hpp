// For tests that run on several ranks: the process's Communicator. mpi_main.cpp supplies `main`; a failure on
// any rank fails the whole program.
#pragma once

#include "comm/communicator.hpp"

namespace convoy::test {

Communicator& world();

}  // namespace convoy::test
