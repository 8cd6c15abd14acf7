// What TrainingReplica::run_step needs of a program beside Program itself: how the batches of the next step
// are kept apart from those of the step that runs. CudaProgram is one; cuda_training_replica.cpp and
// step_graph.cpp use it.
#pragma once

#include <memory>

#include "engine/program.hpp"

namespace convoy::cuda {

// The device memory of staged batches exists twice. stage(0, …) turns to the other half (parity() changes
// there, and only there), so a step's kernels and the copies of the next one never touch the same memory.
class StepProgram : public Program {
 public:
  virtual int parity() const = 0;  // 0 or 1: the half that holds the batch staged last

  // Makes the compute stream wait for what was staged, unless that was done; where run_step is not used,
  // forward_staged calls it itself. Never inside a capture: the copies' event belongs to no graph.
  virtual void begin_step() = 0;

  // Says that the compute stream, when it comes to this point, has read the batches, so that the copy stream
  // may fill their memory again; never inside a capture. Where run_step is not used, stage() says it of the
  // passes before.
  virtual void end_step() = 0;

  // A token that lives as long as the program, which distinguishes it from a later one at the same address.
  const std::shared_ptr<const int>& lifetime() const { return lifetime_; }

 private:
  std::shared_ptr<const int> lifetime_ = std::make_shared<const int>(0);
};

}  // namespace convoy::cuda
