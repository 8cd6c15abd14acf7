// Weights to use or to begin with: a checkpoint, or a file of another program (foreign/), read as if it were
// one. Used by everything that takes weights; --resume takes checkpoints alone.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "foreign/foreign_model.hpp"

namespace convoy {

// The header of a checkpoint that holds these weights alone: no state of training, no store.
CheckpointHeader header_of(const ForeignModel& model);

// A foreign file in one line: "PyTorch weights of alexnet-owt, 1000 classes; images: …".
std::string summary_of(const ForeignModel& model);

// "the shorter side to 256, the centre 224 × 224; (pixel − (123.7, 116.3, 103.5)) × (0.01712, …)".
std::string input_text(const InputSpec& input, Fit fit);

// Whether these are the classes of weights that name none: "class-0", "class-1", ….
bool are_numbered(const std::vector<ClassEntry>& classes);

// Opens a checkpoint. Throws ExitCode::bad_data for a file that is neither one nor foreign, saying so.
std::unique_ptr<CheckpointFile> open_checkpoint(const std::filesystem::path& path);

// Opened to take single tensors from.
class WeightsFile {
 public:
  // `network`: taken if a foreign file fits several equally. Throws as CheckpointFile and read_foreign_model
  // do. Tensors that the network does not have are left out.
  WeightsFile(const std::filesystem::path& path, const std::string& network);

  const CheckpointHeader& header() const { return file_ ? file_->header() : header_; }
  // Empty when it is absent.
  std::optional<StoredTensor> tensor(const Parameter& parameter) const;
  // What the user should know.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  std::unique_ptr<CheckpointFile> file_;  // null: a foreign file
  CheckpointHeader header_;
  std::optional<ParameterTable> table_;
  std::vector<float> parameters_;
  std::vector<std::string> notes_;
};

}  // namespace convoy
