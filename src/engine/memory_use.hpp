// How much memory a replica and its programs hold, by purpose: what `convoy train --log-level debug` reports
// and `convoy plan` predicts. Bytes; of the device, if the replica is on one.
#pragma once

#include <cstddef>

namespace convoy {

struct ReplicaMemory {
  std::size_t parameters = 0, gradients = 0;
  std::size_t slots = 0;         // of the optimiser: velocity, moments
  std::size_t copies = 0;        // of parameters, in another layout or in 16 bits
  std::size_t accumulation = 0;  // gradients of one micro-batch
  std::size_t small = 0;         // sums, tables of the update

  std::size_t total() const { return parameters + gradients + slots + copies + accumulation + small; }
};

struct ProgramMemory {
  // Activations, their gradients and scratch of operations, which share memory where they never live at the
  // same time.
  std::size_t activations = 0;
  std::size_t workspace = 0;  // of libraries, where they ask for a place of their own
  std::size_t staging = 0;    // batches on their way to a GPU

  std::size_t total() const { return activations + workspace + staging; }
};

}  // namespace convoy
