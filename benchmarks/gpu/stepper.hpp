// A replica with everything that a training step needs but the loader: what the trainer does, on random
// images. For the programs of this folder only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "engine/engine.hpp"
#include "random_batch.hpp"
#include "train/gradient_reducer.hpp"

namespace convoy::gpu_benchmark {

struct StepperOptions {
  std::string model = "alexnet";
  Precision precision = Precision::bf16;
  int batch = 128;  // of a rank
  OptimizerRule optimizer = OptimizerRule::sgd;
  bool deterministic = false;
  int device_index = 0;
  std::size_t bucket_bytes = convoy::bucket_bytes;
  WirePrecision wire = WirePrecision::fp32;
};

class Stepper {
 public:
  // Collective over `communicator`.
  Stepper(const StepperOptions& options, Communicator& communicator);

  // Runs `steps` steps and waits for the device; seconds a step, by the clock. `graph`: from a recorded
  // graph, where the device allows it; otherwise call by call, whatever was recorded before.
  double run(int steps, bool graph);
  // Whether the last step was a recorded graph's. The first step of a program never is; the next ones record.
  bool replayed() const { return replayed_; }

  const StepResult& last() const { return last_; }
  // Of the phases by the device's clock, over all steps since the last call.
  PhaseSeconds take_phases();
  const NetSpec& spec() const { return replica_->spec(); }
  std::string_view collective_name() const { return collective_->name(); }

 private:
  void step(bool graph);
  void take_result();

  StepperOptions options_;
  int ranks_, rank_;
  Log log_;
  std::unique_ptr<TrainingReplica> replica_;
  std::unique_ptr<Program> program_;
  std::unique_ptr<Collective> collective_;
  std::optional<GradientReducer> reducer_;
  std::optional<RandomBatch> batch_;
  std::vector<TensorRate> rates_;
  std::int64_t number_ = 0;
  int outstanding_ = 0, phase_steps_ = 0;
  bool replayed_ = false;
  StepResult last_;
  PhaseSeconds phases_;
};

// The GPU of this rank; collective. Throws ExitCode::usage where there is none.
int device_of_rank(Communicator& communicator);

}  // namespace convoy::gpu_benchmark
