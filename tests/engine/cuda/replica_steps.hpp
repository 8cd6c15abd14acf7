// A training replica on a GPU and its program, stepped as the trainer steps them: what the tests of the CUDA
// replica share.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "engine/engine.hpp"
#include "model/networks.hpp"
#include "reference/narrow.hpp"
#include "reference/random_batch.hpp"

namespace convoy::test {

struct ReplicaSettings {
  Precision precision = Precision::fp32;
  GraphUse graph = GraphUse::automatic;
  OptimizerRule rule = OptimizerRule::sgd;
  int micro_batches = 1;
  std::function<std::string(const std::string&)> agree = {};  // ReplicaOptions'
  const Log* log = nullptr;                                   // the same
  std::size_t early_elements = 1;  // TrainingOptions': every operation's parameters during backward
  std::shared_ptr<TuningMemory> memory = {};  // ReplicaOptions': with it, algorithms are measured
};

class ReplicaSteps {
 public:
  static constexpr int batch = 3;

  explicit ReplicaSteps(const ReplicaSettings& settings) : settings_(settings) {
    ReplicaOptions options;
    options.device = DeviceKind::cuda;
    options.agree = settings.agree;
    options.memory = settings.memory;
    options.deterministic = settings.memory == nullptr;
    replica_ = make_training_replica(spec_, input_, options,
                                     {.optimizer = {.rule = settings.rule},
                                      .cuda_graph = settings.graph,
                                      .log = settings.log,
                                      .early_elements = settings.early_elements});
    replica_->write_parameters(random_parameters(replica_->table(), 5));
    compile();
  }

  void compile() {
    program_.reset();
    program_ = replica_->compile({.batch = batch,
                                  .mode = Mode::training,
                                  .precision = settings_.precision,
                                  .micro_batches = settings_.micro_batches});
  }

  TrainingReplica& replica() { return *replica_; }
  Program& program() { return *program_; }
  int enqueued() const { return enqueued_; }

  // Step `number` (1, 2, …) with rows, rates, seed and images of its own; its result stays to be taken.
  // `inside` is called in the step, between backward and the update.
  void step(int number, bool capturable = true, const std::function<void()>& inside = {}) {
    const int rows = number % 4 == 3 ? batch - 1 : batch;
    for (int micro = 0; micro < settings_.micro_batches; ++micro) {
      kept_.push_back(std::make_unique<TestBatch>(
          random_batch(input_, classes, rows, TransformKind::crop_and_mirror, 100 * number + micro)));
      program_->stage(micro, kept_.back()->view(),
                      {.seed = 7, .step = number, .gradient_scale = 1.0 / (rows * settings_.micro_batches)});
    }
    std::vector<TensorRate> rates(replica_->table().parameters().size());
    for (std::size_t i = 0; i < rates.size(); ++i) {
      rates[i] = {.rate = 0.01F / static_cast<float>(number), .decay = i % 2 == 0 ? 5e-4F : 0.0F};
    }
    replica_->stage_update({.number = number, .inverse_loss_scale = 1, .rates = rates});
    replica_->run_step(*program_, capturable, [&] { enqueue(inside); });
  }

  StepResult take() { return replica_->take_result(); }

  std::vector<float> read_parameters() const {
    std::vector<float> values(replica_->table().size());
    replica_->read_parameters(values);
    return values;
  }
  std::vector<float> read_slot(int slot) const {
    std::vector<float> values(replica_->table().size());
    replica_->read_slot(slot, values);
    return values;
  }

  // An update of gradients written by the host.
  UpdateResult update_with(const std::vector<float>& gradients) {
    replica_->write_gradients(gradients);
    replica_->gradients_summed(0, gradients.size());
    const std::vector<TensorRate> rates(replica_->table().parameters().size(), TensorRate{0.1F, 0});
    return replica_->update({.number = 1, .inverse_loss_scale = 1, .rates = rates});
  }

 private:
  static constexpr int classes = 10;

  void enqueue(const std::function<void()>& inside) {
    ++enqueued_;
    const std::size_t size = replica_->table().size();
    std::size_t summed = 0;
    for (int micro = 0; micro < settings_.micro_batches; ++micro) {
      replica_->enter(Phase::forward);
      program_->forward_staged(micro);
      replica_->enter(Phase::backward);
      program_->backward(micro > 0, [&](std::size_t end) {
        if (micro + 1 < settings_.micro_batches || !replica_->updates_early()) return;
        replica_->gradients_summed(std::exchange(summed, end), end);
      });
    }
    replica_->enter(Phase::exposed);
    if (summed < size) {
      const std::size_t half = size / 2 / 64 * 64;
      replica_->gradients_summed(0, half);
      replica_->gradients_summed(half, size);
    }
    if (inside) inside();
    replica_->enter(Phase::update);
    replica_->apply_update();
  }

  ReplicaSettings settings_;
  NetSpec spec_ = narrow(make_network("alexnet-mini"), 8, classes);
  InputSpec input_ = test_input(spec_, 72);
  std::vector<std::unique_ptr<TestBatch>> kept_;  // batches stay as they are until their results are taken
  std::unique_ptr<TrainingReplica> replica_;
  std::unique_ptr<Program> program_;
  int enqueued_ = 0;
};

// Skips the test where there is no GPU.
class OnAGpu : public testing::Test {
 protected:
  void SetUp() override {
    const std::string refusal = device_refusal(DeviceKind::cuda);
    if (!refusal.empty()) GTEST_SKIP() << refusal;
  }
};

}  // namespace convoy::test
