// What Replica::run_step needs of a program beside Program itself: how the batches of the next step are kept
// apart from those of the step that runs. CudaProgram is one; cuda_replica.cpp and step_graph.cpp use it.
#pragma once

#include <memory>

#include "engine/replica.hpp"

namespace convoy::cuda {

// The device slots of batches exist twice. stage(0, …) turns to the other ones (parity() changes there, and
// only there), so a step's kernels and the copies of the next one never touch the same memory.
class StepProgram : public Program {
 public:
  virtual int parity() const = 0;  // 0 or 1: the device slots of the batch that was staged last

  // Makes the compute stream wait for what was staged, unless that was done; where run_step is not used,
  // forward_staged calls it itself. Never inside a capture: the copies' event belongs to no graph.
  virtual void begin_step() = 0;

  // Says that the compute stream, when it comes to this point, has read the slots, so that the copy stream
  // may fill them again; never inside a capture. Where run_step is not used, stage() says it of the passes
  // before.
  virtual void end_step() = 0;

  // Lives as long as the program: tells it from a later one at the same address.
  const std::shared_ptr<const int>& presence() const { return presence_; }

 private:
  std::shared_ptr<const int> presence_ = std::make_shared<const int>(0);
};

}  // namespace convoy::cuda
