// The output folder of a run as rank 0 finds and prepares it. Used at the start of training; nobody
// else writes there except the checkpoint writer and report/.
#pragma once

#include <filesystem>

namespace convoy {

struct OutputFolder {
  std::filesystem::path path, checkpoints;
  bool holds_run = false;  // something of an earlier run is there
  int attempts = 0;        // starts so far, from run.json
};

// Looks without touching anything. Throws ExitCode::usage if `path` is a file or a store.
OutputFolder inspect_output_folder(const std::filesystem::path& path);

// Makes the folders. Throws ExitCode::io naming the folder and the reason, also if they cannot be written.
void create_output_folder(const OutputFolder& folder);

}  // namespace convoy
