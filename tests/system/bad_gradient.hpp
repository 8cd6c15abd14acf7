// A training run that meets a gradient that is not finite, in a step whose loss and weights are sound: what
// both engines must do about it.
#pragma once

#include "system/tiny_run.hpp"

namespace convoy::test {

// Trains two steps by `configuration` (alexnet-mini, a checkpoint and a validation after every step), and
// changes the weights of the checkpoint so that the next gradient overflows. Then expects of runs that resume
// there — in the middle, in their last step, asked to stop — that every rank ends as diverged with that
// step, and that nothing was validated or written after it: the checkpoints stay as they were, to the byte.
// Collective.
void expect_bad_gradient_to_end_runs(TrainConfiguration configuration, Communicator& communicator);

}  // namespace convoy::test
