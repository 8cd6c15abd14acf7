// Class probabilities of single images from a checkpoint alone; the command `predict` uses
// it. One process; images are decoded by the caller to the checkpoint's stored size.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "engine/engine.hpp"

namespace convoy {

struct Prediction {
  int index = 0;  // class, in label order
  ClassEntry entry;
  double probability = 0;
};

class Predictor {
 public:
  // Throws ExitCode::bad_data or io for a checkpoint that cannot be used, usage for a device that is absent.
  // `threads` 0: all cores this process may use, within a container's limit on CPU time.
  Predictor(const std::filesystem::path& checkpoint, DeviceKind device = DeviceKind::automatic,
            Precision precision = Precision::fp32, int threads = 0);

  // Each image: stored_side() × stored_side() × 3 bytes, RGB, rows top to bottom. For each the `top` most
  // probable classes, best first, equal ones by class index. Throws ExitCode::bug for a buffer of another
  // size.
  std::vector<std::vector<Prediction>> predict(std::span<const std::vector<std::uint8_t>> images, int top);

  int stored_side() const { return header_.input.stored_side; }
  Fit fit() const { return header_.fit; }  // how the images of stored_side() are made
  const CheckpointHeader& header() const { return header_; }
  const std::vector<std::string>& notes() const { return notes_; }  // TrainedModel::notes
  Replica& replica() { return *replica_; }

 private:
  CheckpointHeader header_;
  std::vector<std::string> notes_;
  std::unique_ptr<Replica> replica_;
  std::unique_ptr<Program> program_;
};

}  // namespace convoy
