// Everything that is decided before training begins and is the same on every rank: the store, the network,
// what it sees, how samples are shared out, threads. Pure of big allocations, so that what cannot work is
// refused at once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "data/batch.hpp"
#include "data/batch_plan.hpp"
#include "data/store.hpp"
#include "engine/engine.hpp"
#include "model/net_spec.hpp"
#include "train/configuration.hpp"
#include "train/device_plan.hpp"
#include "train/thread_plan.hpp"

namespace convoy {

struct RunSetup {
  TrainConfiguration configuration;  // statistics, number of classes and `deterministic` filled in
  Store store;
  std::vector<ClassEntry> classes;  // one for each output of the network
  NetSpec network;
  Initialiser initialiser = Initialiser::torch;
  InputSpec input;
  BatchPlan plan;
  std::int64_t last_step = 0;  // the run ends after this many updates
  ThreadPlan threads;
  DevicePlan device;  // of this rank

  double epoch_of(std::int64_t step) const {
    return static_cast<double>(step) / static_cast<double>(plan.steps_per_epoch());
  }
  bool is_epoch_end(std::int64_t step) const { return step % plan.steps_per_epoch() == 0; }
};

// Reads the store on rank 0 and fits everything together; collective. Throws ExitCode::usage for what does
// not fit (store smaller than the network's input, classes, plateau without validation images, more ranks
// than samples in the batch …), bad_data or io for a store that cannot be read.
RunSetup prepare_run(const TrainConfiguration& configuration, Communicator& communicator);

// store.json read by rank 0 and broadcast; collective.
Store open_store(const std::string& folder, Communicator& communicator);

// "std" (`deviation` inverted), "none" (1), a number or a fraction such as "1/255". Throws ExitCode::usage.
std::vector<float> input_scale(const std::string& text, const double (&deviation)[3]);

// The store's classes, followed by "class N" for outputs beyond them. Throws ExitCode::usage when the network
// has fewer.
std::vector<ClassEntry> output_classes(const Store& store, int classes);

}  // namespace convoy
