// What tests of whole training runs share: a tiny store of coloured classes, a cheap configuration, an
// observer that remembers everything and can ask for a stop, and the comparison of checkpoints.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "comm/communicator.hpp"
#include "support/shared_folder.hpp"
#include "support/temporary_folder.hpp"
#include "train/observer.hpp"
#include "train/trainer.hpp"

namespace convoy::test {

struct TinyStore {
  int images = 18, validation_images = 7, classes = 3, side = 68;
  Fit fit = Fit::cut;
};

// Writes a store whose classes differ by colour and stripes, so that a network learns them in a few steps;
// collective.
void write_tiny_store(const std::filesystem::path& folder, const TinyStore& tiny, Communicator& communicator);

// alexnet-mini with SGD, global batch 8, mirror and crop, one CPU thread, on the store folder/"store", into
// folder/`output`.
TrainConfiguration tiny_configuration(const SharedFolder& folder, const std::string& output);

// What a run told its observers.
struct Records {
  // Those of one kind.
  std::vector<EventRecord> events_of(const std::string& what) const;

  std::vector<RunRecord> starts;
  std::vector<Decision> tuning;  // at the end
  std::vector<StepRecord> steps;
  std::vector<ValidationRecord> validations;
  std::vector<std::vector<SamplePrediction>> predictions;  // of each validation
  std::vector<CheckpointRecord> checkpoints;
  std::vector<EventRecord> events;
};

// Remembers all records; sets `stop` once a step record of `stop_at` steps or more arrives.
class Recorder : public Observer, public Records {
 public:
  void on_start(const RunRecord& record) override { starts.push_back(record); }
  void on_tuning(const RunRecord& record) override { tuning = record.tuning; }
  void on_step(const StepRecord& record) override;
  void on_validation(const ValidationRecord& record) override { validations.push_back(record); }
  void on_predictions(const PredictionsRecord& record) override {
    predictions.emplace_back(record.samples.begin(), record.samples.end());
  }
  void on_checkpoint(const CheckpointRecord& record) override { checkpoints.push_back(record); }
  void on_event(const EventRecord& record) override { events.push_back(record); }

  std::int64_t stop_at = -1;
  std::atomic<bool> stop{false};
};

// Why this test's ranks have no GPU each; empty when they have. Collective, the same on every rank.
std::string why_no_gpus(Communicator& communicator);

// run_training with a recorder (rank 0's remembers, every rank's can stop). Quiet.
TrainingResult train(const TrainConfiguration& configuration, Communicator& communicator, Recorder& recorder);

// Expects each validation's predictions to be of every image once, and to count as its metrics do;
// collective.
void expect_predictions_fit(const Records& records, Communicator& communicator);

// What run_training throws: its text and category; fails the test when it does not throw.
struct Refusal {
  ExitCode category = ExitCode::done;
  std::string text;
};
Refusal refused(const TrainConfiguration& configuration, Communicator& communicator);

// The checkpoint of `step` in a run's folder, checked and read.
Checkpoint load(const std::filesystem::path& run, std::int64_t step, const TrainConfiguration& configuration,
                int classes = 3);

// Expects every dataset and attribute of two checkpoints to be equal, bit for bit.
void expect_same(const Checkpoint& left, const Checkpoint& right);

}  // namespace convoy::test
