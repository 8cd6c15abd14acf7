// Which checkpoint a run resumes. Used at the start of training, on rank 0.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.hpp"
#include "checkpoint/checkpoint.hpp"
#include "checkpoint/output_folder.hpp"
#include "model/parameter_table.hpp"

namespace convoy {

// A checkpoint to resume, read once: in the search for a sound one, or when its header has been found to fit.
class ChosenCheckpoint {
 public:
  ChosenCheckpoint() = default;  // none: a new run starts
  explicit ChosenCheckpoint(NewestCheckpoint newest)
      : path_(std::move(newest.path)), read_(std::move(newest.checkpoint)) {}
  explicit ChosenCheckpoint(std::filesystem::path path)
      : path_(std::move(path)), file_(std::make_unique<CheckpointFile>(path_)) {}

  bool empty() const { return path_.empty(); }
  const std::filesystem::path& path() const { return path_; }
  const CheckpointHeader& header() const { return file_ ? file_->header() : read_.header; }
  // All of it; throws as CheckpointFile::read does. Leaves nothing here.
  Checkpoint take(const ParameterTable& table, std::string_view model);

 private:
  std::filesystem::path path_;
  std::unique_ptr<CheckpointFile> file_;
  Checkpoint read_;
};

// By `resume`, the value of --resume: auto (the newest sound checkpoint of the output folder, if it holds a
// run), none, or a path (a file, or the folder of a run: then its newest). Warns of newer files that are left
// alone. `check` is asked before a checkpoint is read in a search (find_newest_checkpoint). Throws
// ExitCode::usage when the folder holds another run, bad_data when checkpoints are there but none is sound.
ChosenCheckpoint choose_checkpoint(const std::string& resume, const OutputFolder& folder,
                                   const ParameterTable& table, const HeaderCheck& check, const Log& log);

}  // namespace convoy
