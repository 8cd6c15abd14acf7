// Writes checkpoints off the training thread and looks after the folder: `latest` and `best` links, removal
// of old ones and of what a killed run left half-written. Lives on rank 0 only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/timeline.hpp"
#include "checkpoint/checkpoint.hpp"

namespace convoy {

struct WrittenCheckpoint {
  std::int64_t step = 0;
  std::filesystem::path path;  // empty: it could not be written
  double seconds = 0;
  std::string error;  // why not; beside a path: why a link could not be set or an old checkpoint removed
  std::string note;   // what else the user should know
};

class BackgroundWriter {
 public:
  // `folder` is made when absent; `keep` newest checkpoints stay (0: all), and the best one always. Of steps
  // beyond the one just written (an abandoned attempt, or a damaged file) nothing is removed. On a full disk
  // those that a new checkpoint replaces are removed before it, if it fits then. A folder that disappears
  // meanwhile is made again. Throws ExitCode::io when the folder cannot be made or read.
  // `timeline`: where writing is recorded, in row "checkpoints"; null: nowhere.
  BackgroundWriter(std::filesystem::path folder, const ParameterTable& table, int keep,
                   Timeline* timeline = nullptr);
  ~BackgroundWriter();  // waits for writes in progress
  BackgroundWriter(const BackgroundWriter&) = delete;
  BackgroundWriter& operator=(const BackgroundWriter&) = delete;

  // Takes over the checkpoint and returns; waits first when the one before is still being written. `best`:
  // move the link `best` to it as well.
  void start(Checkpoint checkpoint, bool best);

  // Moves `best` to an already written (or being written) step, off this thread too. Nothing happens when
  // that step could not be written.
  void mark_best(std::int64_t step);

  // Waits for all that was started. What was finished since the last call of either, failures included.
  std::vector<WrittenCheckpoint> finish();
  std::vector<WrittenCheckpoint> finished();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace convoy
