// For tests that run on several ranks: the process's Communicator. mpi_main.cpp supplies `main`; a failure on
// any rank fails the whole program.
#pragma once

#include <string>

#include "comm/communicator.hpp"

namespace convoy::test {

Communicator& world();

// Runs on rank 0 while the others wait.
template <typename Work>
void on_rank_zero(Work&& work) {
  world().on_rank_zero([&] {
    work();
    return std::string();
  });
}

}  // namespace convoy::test
