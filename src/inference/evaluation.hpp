// Exact evaluation of a network over a whole split, shared out over all ranks: every image counts once, at
// any number of ranks. The trainer calls Evaluator between steps, the command `evaluate` evaluate_checkpoint.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/progress_meter.hpp"
#include "comm/communicator.hpp"
#include "comm/watchdog.hpp"
#include "data/shard_copies.hpp"
#include "data/store.hpp"
#include "engine/engine.hpp"
#include "inference/sample_predictions.hpp"

namespace convoy {

struct EvaluationResult {
  std::int64_t samples = 0;
  double loss = 0;            // mean of −ln p(true class); ten-crop: of the averaged softmax
  double top1 = 0, top5 = 0;  // fractions; equal scores rank the lower class index first
};

struct EvaluationOptions {
  std::string checkpoint, data, split = "val";
  std::string predictions = {};  // a file for predictions_csv; empty: none
  bool ten_crop = false;
  std::int64_t global_batch = 256;
  DeviceKind device = DeviceKind::automatic;
  Precision precision = Precision::fp32;
  int threads = 0;
  int workers = 2;
};

// Evaluates a checkpoint, which is enough to make its network, on a store; collective. Throws
// ExitCode::usage when the store's classes or image size do not fit the checkpoint, bad_data for a damaged
// file.
EvaluationResult evaluate_checkpoint(const EvaluationOptions& options, Communicator& communicator,
                                     const Log& log);

struct EvaluatorOptions {
  std::string split = "val";
  InputSpec input;
  Precision precision = Precision::fp32;
  int rows = 1;  // most images that a rank passes at once
  int workers = 2;
  bool ten_crop = false;
  ShardCopies* copies = nullptr;  // of the split's shards on this node's own disk; null: none
};

// What a long evaluation reports to and listens to on its way.
struct EvaluationContext {
  Watchdog* watchdog = nullptr;  // hears of each batch
  std::int64_t step = 0;
  const std::atomic<bool>* stop_requested = nullptr;  // on any rank: evaluation is given up on all
  ProgressMeter* meter = nullptr;                     // shows how far it is
  // Gets every image's prediction, on every rank; null (on all ranks) where nobody asks.
  std::vector<SamplePrediction>* predictions = nullptr;
};

// An evaluation program kept between evaluations of one replica on one split.
class Evaluator {
 public:
  // `store` and `replica` must outlive the evaluator.
  Evaluator(const Store& store, Replica& replica, EvaluatorOptions options);

  // Passes the whole split through the replica's present parameters; collective. Empty when it was given up.
  std::optional<EvaluationResult> run(Communicator& communicator, const EvaluationContext& context);

 private:
  const Store& store_;
  EvaluatorOptions options_;
  std::pmr::memory_resource& memory_;  // of batches
  int classes_;
  std::unique_ptr<Program> program_;
};

// Position of class `label` when the scores are ordered, largest first, equal ones by class index: 0 is the
// best. A NaN score ranks its row last.
int rank_of_label(std::span<const float> scores, int label);

}  // namespace convoy
