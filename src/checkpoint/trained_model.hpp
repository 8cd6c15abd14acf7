// A checkpoint, or a file of another program (foreign/), as a model to use: rank 0 reads and checks it, every
// rank gets network, input, classes and parameters. Used by evaluation and prediction.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "comm/communicator.hpp"

namespace convoy {

struct TrainedModel {
  CheckpointHeader header;
  NetSpec network;
  std::vector<float> parameters;  // flat, layout of ParameterTable
  bool foreign = false;           // from a file of another program
  // On the process that read such a file: what it was taken for, and what else the user should know.
  std::vector<std::string> notes;
};

// On this process alone. Throws ExitCode::bad_data or io naming the file.
TrainedModel load_model(const std::filesystem::path& path);

// Collective: rank 0 reads, errors are thrown on every rank.
TrainedModel share_model(const std::filesystem::path& path, Communicator& communicator);

}  // namespace convoy
