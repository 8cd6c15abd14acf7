// Everything that `convoy train` can be asked for, as plain data with the program's defaults. The options in
// settings/train_options.cpp fill it from the command line and configuration files; nothing changes it
// afterwards.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/words.hpp"
#include "comm/collective.hpp"
#include "data/augmentation.hpp"
#include "engine/engine.hpp"
#include "engine/optimizer_table.hpp"
#include "model/net_spec.hpp"
#include "settings/schedule_settings.hpp"

namespace convoy {

// A count with its unit: "500steps", "1epoch"; 0 means "only at the end", `never` "not even there".
struct Interval {
  std::int64_t count = 0;
  bool epochs = true;
  bool never = false;  // with count 0
};

// Steps of an attempt, counted from 1, both ends included.
struct StepRange {
  std::int64_t first = 1, last = 1;
};

// The mean to subtract: 3 values of the store, its mean image, or 0.
enum class InputMean { pixel, image, none };

inline Words<InputMean> input_mean_words() {
  return {{"pixel", InputMean::pixel}, {"image", InputMean::image}, {"none", InputMean::none}};
}

// The factor applied after subtracting the mean: 1 ÷ the store's standard deviation by channel, or a number.
struct InputScale {
  bool by_deviation = true;
  double number = 1;
  std::string text = "std";  // as it was given: std, none, or a number such as 1/255
};

// When a run must have stopped with a checkpoint saved.
struct Deadline {
  enum class Kind {
    none,
    job,    // when the batch system ends its job
    after,  // so many seconds after the start
    at,     // so many seconds after 1970
  };
  Kind kind = Kind::none;
  std::int64_t seconds = 0;
  std::string text = "none";  // as it was given: none, auto, 2h30m, 2026-12-01T08:00
};

struct TrainConfiguration {
  // what
  std::string model = "alexnet";
  std::string data, output, weights;
  std::string stage;            // folder for copies of shards on each node's own disk; empty: none
  std::string resume = "none";  // auto, none or a path
  std::uint64_t seed = 1;
  int classes = 0;  // 0: the store's
  // how long
  double epochs = 90;
  std::int64_t steps = -1;  // -1: by epochs
  Interval evaluate_every{1, true}, checkpoint_every{1, true};
  int keep = 3;
  std::int64_t log_every = 20;
  // batch
  std::int64_t global_batch = 128;
  int accumulate = 1;
  bool scale_rate_linearly = false;
  std::int64_t recipe_batch = 0;  // the configuration file's own global batch, for linear scaling
  // optimiser
  OptimizerSettings optimizer;
  double weight_decay = 5e-4;
  std::optional<double> bias_decay;  // default: as weights
  ScheduleSettings schedule;
  // network
  std::optional<Initialiser> initialiser;  // default: the network's own
  std::optional<double> dropout;
  // input
  AugmentationSettings augmentation;
  InputMean input_mean = InputMean::pixel;
  InputScale input_scale;
  int workers = 2;
  bool shuffle_by_node = false;
  // records for other programs
  bool tensorboard = false;
  Interval histogram_every{0, true};  // 0: none
  bool mlperf_log = false;
  std::string trace;              // file; empty: none
  StepRange trace_steps{11, 30};  // behind the first ones, which are slower
  // machine
  DeviceKind device = DeviceKind::automatic;
  Precision precision = Precision::fp32;
  int threads = 0;
  // Same inputs, same bits. Default: on the CPU, where it costs nothing; not on GPUs.
  std::optional<bool> deterministic;
  TuneMode tune = TuneMode::automatic;
  GraphUse cuda_graph = GraphUse::automatic;
  CollectiveKind collective = CollectiveKind::automatic;
  WirePrecision wire = WirePrecision::fp32;
  double watchdog_seconds = 600;
  Deadline deadline;
};

}  // namespace convoy
