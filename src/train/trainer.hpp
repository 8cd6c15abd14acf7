// A whole training run: checks, agreement between ranks, starting point, the loop over steps, evaluation,
// checkpoints and stopping. The command `train` calls it; its parts are in the other files
// of this folder.
#pragma once

#include <atomic>
#include <span>

#include "base/log.hpp"
#include "base/startup_clock.hpp"
#include "comm/communicator.hpp"
#include "settings/train_configuration.hpp"
#include "train/observer.hpp"
#include "train/training_result.hpp"

namespace convoy {

// Trains as `configuration` says; collective over all ranks. `observers` are called on rank 0 only.
// `stop_requested` may be set at any time on any rank (by a signal handler, or by the run itself for its
// deadline): all ranks then save a checkpoint at the same step and return ExitCode::stopped. What cannot work
// is thrown as Error: usage (options that do not fit the store or the ranks), bad_data (store, checkpoint),
// io (the last checkpoint cannot be written), device (replicas differ). An error that only one rank meets (a
// damaged image) is thrown there alone: the caller ends the other ranks with Communicator::abort. `startup`
// knows what came before.
TrainingResult run_training(const TrainConfiguration& configuration, Communicator& communicator,
                            const Log& log, std::span<Observer* const> observers,
                            std::atomic<bool>& stop_requested, StartupClock startup = {});

}  // namespace convoy
