// Makes replicas: the one place where a device is chosen.
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <string>

#include "base/log.hpp"
#include "base/words.hpp"
#include "device/aligned_buffer.hpp"
#include "engine/optimizer_table.hpp"
#include "engine/replica.hpp"
#include "engine/training_replica.hpp"
#include "engine/tuning/tuner.hpp"

namespace convoy {

enum class DeviceKind { automatic, cpu, cuda };

inline Words<DeviceKind> device_words() {
  return {{"auto", DeviceKind::automatic}, {"cpu", DeviceKind::cpu}, {"cuda", DeviceKind::cuda}};
}

// Whether a GPU records a step as a graph and replays it.
enum class GraphUse { automatic, on, off };

inline Words<GraphUse> graph_words() {
  return {{"auto", GraphUse::automatic}, {"on", GraphUse::on}, {"off", GraphUse::off}};
}

struct ReplicaOptions {
  DeviceKind device = DeviceKind::automatic;
  int device_index = 0;       // of the GPU among those visible
  int threads = 0;            // CPU threads of this rank; 0: its share of the cores it may run on
  bool deterministic = true;  // algorithms by rule instead of by measurement, none that adds in any order
  // Several ranks: gives every rank the text that rank 0 passes (which algorithms it chose, whether it
  // could record a step). Empty: each decides for itself.
  std::function<std::string(const std::string& mine)> agree = {};
  TuneMode tune = TuneMode::automatic;
  bool leads = true;                          // answers for all ranks where they agree: rank 0
  std::function<bool()> should_stop = {};     // ends measurements early
  std::function<void()> progress = {};        // called before each candidate is measured
  std::shared_ptr<TuningMemory> memory = {};  // of measured answers (open_tuning_memory); null: none
  const Log* log =
      nullptr;  // what measuring found and how long it took; null: nowhere. Outlives the replica.
  // CPU: `addresses` compiles programs without taking their memory, to ask how much that would be
  // (`convoy plan`). Such a replica cannot run. Requires `deterministic`: measuring would run.
  Backing backing = Backing::memory;
};

// How a replica of these options answers questions.
inline TunerOptions make_tuner_options(const ReplicaOptions& options) {
  return {.mode = options.tune,
          .deterministic = options.deterministic,
          .leads = options.leads,
          .agree = options.agree,
          .should_stop = options.should_stop,
          .progress = options.progress,
          .log = options.log,
          .memory = options.memory};
}

// What earlier starts measured on the device of `options`, in the user's cache folder; null where these
// options do not measure.
std::shared_ptr<TuningMemory> open_tuning_memory(const ReplicaOptions& options);

struct TrainingOptions {
  OptimizerSettings optimizer;  // decides the slots
  GraphUse cuda_graph = GraphUse::automatic;
  // Where this rank warns of what all ranks meet alike; null: nowhere. Outlives the replica.
  const Log* log = nullptr;
  // Parameters are updated before the step's other work has ended when so many are ready, enough to
  // be worth launches of their own; never: updates_at_once. The weights are the same.
  std::size_t early_elements = std::size_t{2} << 20;
  static constexpr std::size_t updates_at_once = std::numeric_limits<std::size_t>::max();
};

// Throws ExitCode::usage when the device is not available, saying what is missing.
std::unique_ptr<Replica> make_replica(const NetSpec& spec, const InputSpec& input,
                                      const ReplicaOptions& options);
std::unique_ptr<TrainingReplica> make_training_replica(const NetSpec& spec, const InputSpec& input,
                                                       const ReplicaOptions& options,
                                                       const TrainingOptions& training = {});

// `automatic` resolved for this process: a GPU where the CUDA module, a driver and a device are there.
DeviceKind resolve_device(DeviceKind device);

// Why `device` cannot be used in this process; empty when it can.
std::string device_refusal(DeviceKind device);

// Why `precision` cannot be used on `device` of this machine; empty when it can.
std::string precision_refusal(DeviceKind device, Precision precision);

}  // namespace convoy
