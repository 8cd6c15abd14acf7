// Everything that `convoy train` can be told, as plain data with the defaults of the program. cli/ fills it
// from options and configuration files; train/ reads it and checks it as a whole.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "comm/collective.hpp"
#include "data/augmentation.hpp"
#include "engine/engine.hpp"
#include "engine/update.hpp"
#include "model/net_spec.hpp"

namespace convoy {

// A count with its unit: "500steps", "1epoch"; 0 means "only at the end".
struct Interval {
  std::int64_t count = 0;
  bool epochs = true;
};

enum class ScheduleKind { constant, step, plateau, polynomial, cosine };

// "0.01, 25:0.001, 51:1e-4": a value and the epochs from which others hold.
struct DatedRate {
  double first = 0.01;
  std::vector<std::pair<double, double>> later;  // (epoch, rate), ascending
};

// "lr.conv1 = 0.002" (a rate of its own, dated if need be) or "lr.bias = x2" (a multiple of the base rate).
// The key is a layer ("conv1"), a kind ("bias", "weight") or both ("conv1.bias"); the most specific one
// holds.
struct RateRule {
  std::optional<double> factor;
  std::optional<DatedRate> own;
};

struct ScheduleSettings {
  ScheduleKind kind = ScheduleKind::constant;
  DatedRate rate;
  std::map<std::string, RateRule> rules;
  double warmup_epochs = 0, warmup_start = 0;  // linear from warmup_start (× the rate) to the rate
  double step_epochs = 30, step_factor = 0.1;  // step
  int patience = 5, drops = 3;                 // plateau
  double plateau_factor = 0.1, plateau_threshold = 0.001;  // top-1 must fall by 0.1 point
  double power = 2, end_rate = 0;                          // polynomial; cosine ends at end_rate
};

struct TrainConfiguration {
  // what
  std::string model = "alexnet";
  std::string data, output, weights;
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
  std::int64_t recipe_batch = 0;  // the config file's own global batch, for linear scaling
  // optimiser
  OptimizerSettings optimizer;
  double weight_decay = 5e-4;
  std::optional<double> bias_decay;  // default: as weights
  ScheduleSettings schedule;
  // network
  std::optional<Initialiser> initialiser;  // default: the network's own
  std::optional<double> dropout;
  // input
  AugmentationSettings augmentation;  // statistics are filled in from the store
  std::string input_mean = "pixel";   // pixel (3 values of the store), image (mean image), none (0)
  std::string input_scale = "std";    // std (1/std of the store), a number such as 1/255, or none (1)
  int workers = 2;
  bool shuffle_by_node = false;
  // machine
  DeviceKind device = DeviceKind::automatic;
  Precision precision = Precision::fp32;
  int threads = 0;
  // Same inputs, same bits. Default: on the CPU, where it costs nothing; not on GPUs.
  std::optional<bool> deterministic;
  GraphUse cuda_graph = GraphUse::automatic;
  CollectiveKind collective = CollectiveKind::automatic;
  WirePrecision wire = WirePrecision::fp32;
  double watchdog_seconds = 600;
};

// As options spell them: "0.01, 25:0.001", and "500steps", "1epoch", "0".
std::string rate_text(const DatedRate& rate);
std::string interval_text(const Interval& interval);

// The options that decide the result (not paths, threads, intervals of logging), one "key = value" a line in
// a fixed order: stands in checkpoints, is compared between ranks and with a resumed checkpoint.
std::string configuration_text(const TrainConfiguration& configuration);

// All options, "key = value" a line, for run.json and for `--config`.
std::string full_configuration_text(const TrainConfiguration& configuration);

// Refuses combinations that cannot work (ExitCode::usage, naming option, value and what would be accepted).
void check_configuration(const TrainConfiguration& configuration);

// Refuses options of GPUs that do not go together, or that mean nothing on `device` (cpu or cuda) or with so
// many ranks, in the same way. Called by prepare_run, which knows both, and with one rank by
// check_configuration.
void check_device_options(const TrainConfiguration& configuration, DeviceKind device, int ranks);

}  // namespace convoy
