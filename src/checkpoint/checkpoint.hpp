// Checkpoints: a trained model and everything needed to continue training it, in one HDF5 file (README, "A
// checkpoint"). Only rank 0 calls these functions; train/ and inference/ use them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/batch.hpp"
#include "data/store.hpp"
#include "model/parameter_table.hpp"

namespace convoy {

class Hdf5File;

// Everything except the large arrays.
struct CheckpointHeader {
  std::string model;
  std::int64_t epoch = 0;          // complete epochs
  std::int64_t epoch_samples = 0;  // consumed of the next
  std::int64_t step = 0;           // completed updates
  std::string configuration;       // text of the options that decide the result
  std::string store_fingerprint;
  std::string schedule_state;  // JSON text
  double loss_scale = 1;
  double best_top1 = std::numeric_limits<double>::quiet_NaN();
  InputSpec input;
  Fit fit = Fit::cut;  // how the images of input.stored_side were made
  std::vector<ClassEntry> classes;
  std::string optimizer;           // "sgd", "adam", …; empty when there are no slots (imported weights)
  std::vector<std::string> slots;  // "velocity"; "first_moment", "second_moment"
};

// A whole checkpoint in host memory. Flat buffers have the layout of ParameterTable.
struct Checkpoint {
  CheckpointHeader header;
  std::vector<float> parameters;
  std::vector<std::vector<float>> optimizer;  // one per header.slots
};

// One tensor of a checkpoint as stored, for fine-tuning with other shapes.
struct StoredTensor {
  std::vector<int> shape;
  std::vector<float> values;
};

// A checkpoint opened for reading: its header, already checked, and the large arrays on request. Throws
// ExitCode::bad_data naming file, dataset and fault (torn, foreign, another model: "… holds
// 'alexnet', not 'alexnet-owt'"); ExitCode::io when unreadable.
class CheckpointFile {
 public:
  explicit CheckpointFile(const std::filesystem::path& path);
  ~CheckpointFile();
  CheckpointFile(const CheckpointFile&) = delete;
  CheckpointFile& operator=(const CheckpointFile&) = delete;

  const CheckpointHeader& header() const { return header_; }

  // Everything, every checksum and shape checked. An empty `model` is not compared (shapes are, always).
  Checkpoint read(const ParameterTable& table, std::string_view model = {}) const;

  // The parameters for use alone, not to train on: the optimiser's slots, at least half of the file, are
  // neither read nor checked.
  std::vector<float> read_parameters(const ParameterTable& table) const;

  // Empty when it is absent.
  std::optional<StoredTensor> read_tensor(const std::string& dataset) const;

 private:
  std::unique_ptr<Hdf5File> file_;
  CheckpointHeader header_;
};

// Writes beside the final name, flushes, renames, flushes the folder. Throws ExitCode::io (disk full) leaving
// no partial file under the final name and removing its own temporary one.
void write_checkpoint(const std::filesystem::path& path, const ParameterTable& table,
                      const Checkpoint& checkpoint);

// "step-000012345.h5", and back (nothing for any other name).
std::string checkpoint_name(std::int64_t step);
std::optional<std::int64_t> checkpoint_step(std::string_view name);

// Steps of the files so named in a folder, ascending; none when it is absent. Throws ExitCode::io.
std::vector<std::int64_t> list_checkpoints(const std::filesystem::path& folder);

// The checkpoint in a run's checkpoints folder that the link `name` (best, latest) stands for; an empty path
// if there is none. Throws ExitCode::bad_data if the link leads to anything but a checkpoint beside it: a
// run's folder may come from someone else.
std::filesystem::path linked_checkpoint(const std::filesystem::path& folder, std::string_view name);

// The newest sound checkpoint in a run's checkpoints folder (by step), with the names and reasons of newer
// ones that cannot be used. Empty path when there is none.
struct NewestCheckpoint {
  std::filesystem::path path;
  Checkpoint checkpoint;
  std::vector<std::pair<std::filesystem::path, std::string>> refused;
};
// `check` looks at a header before the arrays are read: an ExitCode::usage that it throws (the options do not
// fit the run) is thrown on, since an older checkpoint of the run would not fit either.
using HeaderCheck = std::function<void(const std::filesystem::path&, const CheckpointHeader&)>;
NewestCheckpoint find_newest_checkpoint(const std::filesystem::path& folder, const ParameterTable& table,
                                        const HeaderCheck& check = {});

}  // namespace convoy
