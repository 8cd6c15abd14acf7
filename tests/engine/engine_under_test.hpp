// What the engine tests share: the targets of this machine, their tolerances, and an engine standing beside
// the reference with the same parameters.
#pragma once

#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.hpp"
#include "reference/random_batch.hpp"
#include "reference/reference_network.hpp"

namespace convoy::test {

// A device in one precision. Every typed test runs on each target that the machine offers.
struct Target {
  DeviceKind device = DeviceKind::cpu;
  Precision precision = Precision::fp32;
  std::string name() const;
};
std::ostream& operator<<(std::ostream& out, const Target& target);

std::vector<Target> available_targets();
// The targets of full precision, for tests whose subject does not depend on it.
std::vector<Target> exact_targets();

// Largest relative error in the Euclidean norm, ‖found − expected‖ / ‖expected‖. The reference rounds what
// it keeps between layers as the target does.
struct Tolerance {
  double forward = 0;   // of activations; of probabilities and losses four times as much
  double backward = 0;  // of a gradient tensor, behind equal activations
  double switched = 0;  // of a gradient tensor, where a ReLU or a maximum may have been decided otherwise
};

// An engine's replica and the reference with equal parameters.
class EngineUnderTest {
 public:
  // With a `memory` the engine chooses by what that answers, or by measurement.
  EngineUnderTest(const Target& target, const NetSpec& spec, const InputSpec& input,
                  const OptimizerSettings& optimizer = {}, int threads = 2,
                  std::shared_ptr<TuningMemory> memory = nullptr);

  void set_parameters(const std::vector<float>& values);

  TrainingReplica& replica() { return *replica_; }
  ReferenceNetwork& reference() { return reference_; }
  std::unique_ptr<Program> compile(int batch, Mode mode = Mode::training);
  std::vector<float> read_parameters() const;
  std::vector<float> read_gradients() const;
  std::vector<float> read_slot(int slot) const;

  const Target& target() const { return target_; }
  // By precision, and stricter for networks of up to four layers with parameters.
  Tolerance tolerance() const;

 private:
  Target target_;
  ReferenceNetwork reference_;
  std::unique_ptr<TrainingReplica> replica_;
};

double relative_error(std::span<const float> found, std::span<const double> expected);

// Runs the engine and the reference forward and compares probabilities, loss and counts (the counts where
// the precision leaves no near ties).
void expect_same_forward(EngineUnderTest& engine, Program& program, const TestBatch& batch, Mode mode,
                         const PassContext& context);

// Holds the program's activations against those of the reference, which ran the same pass, and puts them into
// the reference, so that its backward pass follows the same decisions.
void adopt_activations(EngineUnderTest& engine, const Program& program);

// Runs both backward, from the program's activations, and compares the gradient of every tensor; gaps must be
// zero.
void expect_same_backward(EngineUnderTest& engine, Program& program, const PassContext& context,
                          bool add = false);

// Compares the gradient buffers as they stand, to `allowed`.
void expect_same_gradients(EngineUnderTest& engine, double allowed);

}  // namespace convoy::test
