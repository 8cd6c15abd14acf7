// Whether a configuration can work, before anything is opened. Used by `convoy train` before ranks wait for
// each other, and by the trainer.
#pragma once

#include "settings/train_configuration.hpp"

namespace convoy {

// Throws ExitCode::usage, naming option, value and what would be accepted, for a value out of range, options
// that exclude each other, rates of layers that the network lacks, and what this machine's devices cannot do.
void check_configuration(const TrainConfiguration& configuration);

// The same without what the paths and this machine's devices decide: for a plan of a run elsewhere.
void check_values(const TrainConfiguration& configuration);

// Throws likewise for options of GPUs that exclude each other, or that mean nothing on `device` (cpu or cuda)
// or with so many ranks. check_configuration asks with one rank; the trainer once both are known.
void check_device_options(const TrainConfiguration& configuration, DeviceKind device, int ranks);

}  // namespace convoy
