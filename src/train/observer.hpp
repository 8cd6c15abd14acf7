// Events of a run in progress. train/ calls observers on rank 0; report/ implements them
// (progress line, metrics.jsonl, run.json, …).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/startup_clock.hpp"
#include "base/timeline.hpp"
#include "engine/tuning/tuner.hpp"
#include "inference/sample_predictions.hpp"
#include "model/parameter_table.hpp"

namespace convoy {

// Copies of shards on the nodes' own disks (--stage), over all nodes.
struct StageRecord {
  std::string folder;                          // rank 0's, with its subfolder for the store
  int nodes = 1;                               // folders with copies of their own
  std::int64_t shards = 0, staged_shards = 0;  // of all nodes; staged: with a copy so far
  std::uint64_t bytes = 0, staged_bytes = 0;
  std::uint64_t copied_bytes = 0;  // by this attempt; the others were there, or another job copied them
  std::int64_t rejected = 0;       // copies that were damaged
  double seconds = 0;              // on the slowest node
  bool done = false;               // whatever can be staged is
};

// What is known when training begins, before the first step of this attempt.
struct RunRecord {
  int attempt = 1;               // 1 for the first start of a run, 2 after one resume, …
  std::int64_t step = 0;         // completed updates at this start
  std::int64_t logged_step = 0;  // the last step that step records before this start may cover
  std::int64_t last_step = 0, steps_per_epoch = 0;
  double epochs = 0;  // of the whole run
  std::string model, device;
  std::string cpu;  // vector instructions of rank 0's CPU
  std::int64_t parameters = 0;
  std::string batch;          // "256 = 8 ranks × 32"
  std::string configuration;  // full text, one "key = value" a line
  std::string store_fingerprint;
  std::int64_t training_images = 0, validation_images = 0;
  int classes = 0;
  int ranks = 1, nodes = 1, threads = 1;  // threads: of each rank
  bool communication_thread = false;
  std::vector<std::string> hosts;                             // by rank
  std::vector<std::string> devices;                           // what each rank computes on, by rank
  std::string collective;                                     // "mpi", "nccl", "none" (one rank)
  std::vector<std::pair<std::string, std::string>> versions;  // "convoy" → "0.1.0", "mpi" → …
  std::vector<Decision> tuning;      // which algorithms were chosen; empty until a program has been compiled
  StartupPhases startup;             // where the time until the first step went; empty before it
  std::optional<StageRecord> stage;  // with --stage; empty before the first step record
};

// How long ranks work on a step by themselves, without waiting for other ranks, in seconds.
struct RankSpread {
  double least = 0, median = 0, most = 0;
  int slowest = 0;   // the rank with the most …
  std::string host;  // … and where it runs
};

// Figures since the last StepRecord, over all ranks; seconds are per step, mean over steps, slowest rank.
struct StepRecord {
  std::int64_t step = 0;
  double epoch = 0;
  std::int64_t samples = 0;
  double loss = 0, top1 = 0, rate = 0, images_per_second = 0;
  double input_seconds = 0, forward_seconds = 0, backward_seconds = 0, exposed_seconds = 0,
         update_seconds = 0;
  std::optional<RankSpread> ranks;   // where there are several
  int attempt = 1;                   // 1 for the first start of a run, 2 after one resume, …
  double seconds_left = 0;           // estimate to the end of the run
  std::optional<double> loss_scale;  // in fp16: of the newest step
};

struct ValidationRecord {
  std::int64_t step = 0;
  double epoch = 0;
  std::int64_t samples = 0;
  double loss = 0, top1 = 0, top5 = 0;  // fractions
};

// What the network answered for each validation image; follows the ValidationRecord.
struct PredictionsRecord {
  std::int64_t step = 0;
  bool best = false;                          // the run's best top-1 so far
  std::span<const SamplePrediction> samples;  // by sample; valid during the call
};

struct CheckpointRecord {
  std::int64_t step = 0;
  std::string path;
  double seconds = 0;
};

struct EventRecord {
  std::int64_t step = 0;
  std::string what, text;  // start, resume, stop, rate, warning, …
};

// The network at a step. At a validation: the weights alone; at TrainConfiguration::histogram_every also the
// gradients that the step was made with, summed over the ranks and without the loss scale. Flat buffers in
// canonical order, valid during the call.
struct WeightRecord {
  std::int64_t step = 0;
  const ParameterTable& table;
  std::span<const float> parameters, gradients;
};

// What every rank did in some steps of an attempt (--trace), on rank 0's clock (base/timeline.hpp).
struct RankTimeline {
  std::string host;
  std::vector<TimelineTrack> tracks;
};

struct TimelineRecord {
  std::int64_t first_step = 0, last_step = 0;  // updates that complete these steps
  std::vector<RankTimeline> ranks;
};

// The moments at which parts of a run begin and end; the records above tell what came of them.
enum class Moment { training_begins, epoch_begins, epoch_ends, validation_begins };

struct MomentRecord {
  Moment moment = Moment::training_begins;
  std::int64_t step = 0;
};

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_start(const RunRecord&) {}  // once, before everything else
  // Which algorithms were chosen, all so far: when a program has been compiled, with the record of on_start.
  virtual void on_tuning(const RunRecord&) {}
  // After the first step of this attempt, with the record of on_start.
  virtual void on_startup(const RunRecord&) {}
  // When more shards were staged, or all, with the record of on_start.
  virtual void on_stage(const RunRecord&) {}
  // The figures of on_step so far, between two of them; a few times a second at most.
  virtual void on_progress(const StepRecord&) {}
  virtual void on_step(const StepRecord&) {}
  virtual void on_moment(const MomentRecord&) {}
  virtual void on_validation(const ValidationRecord&) {}
  virtual void on_weights(const WeightRecord&) {}     // only with TrainConfiguration::tensorboard
  virtual void on_timeline(const TimelineRecord&) {}  // once, only with a trace
  virtual void on_predictions(const PredictionsRecord&) {}
  virtual void on_checkpoint(const CheckpointRecord&) {}
  virtual void on_event(const EventRecord&) {}
};

}  // namespace convoy
