// Where training starts: initial weights, another model's weights (fine-tuning) or a checkpoint of the same
// run. Rank 0 looks, reads and checks; the others get the bytes from it. Used by the trainer.
#pragma once

#include <string>
#include <vector>

#include "base/folder_lock.hpp"
#include "base/log.hpp"
#include "comm/communicator.hpp"
#include "engine/training_replica.hpp"
#include "settings/configuration_text.hpp"
#include "train/resolved_run.hpp"
#include "train/training_state.hpp"

namespace convoy {

struct StartingPoint {
  FolderLock lock;  // of the output folder, on rank 0; to be kept until nothing is written there any more
  bool resumed = false;
  int attempt = 1;
  ConfigurationDifferences changes;  // on rank 0: options that differ from those of the resumed run
  std::string from;                  // path of the checkpoint or the weights; empty for initial weights
  TrainingState state;               // step 0 unless resumed
  // On rank 0 alone, until load_start takes them: flat buffers in the layout of ParameterTable.
  std::vector<float> parameters;
  std::vector<std::vector<float>> slots;  // none: zeros
};

// Chooses by --resume and --weights, reads, and prepares the output folder; collective. Throws
// ExitCode::usage when the folder holds another run or is being written by one, or the checkpoint is of a run
// that cannot be resumed, bad_data when checkpoints are there but none is sound.
StartingPoint prepare_start(const ResolvedRun& run, Communicator& communicator, const Log& log);

// Fills the replica's parameters, optimiser slots and (in fp16) loss scale, and frees the buffers of `start`;
// collective.
void load_start(StartingPoint& start, const ResolvedRun& run, Communicator& communicator,
                TrainingReplica& replica);

}  // namespace convoy
