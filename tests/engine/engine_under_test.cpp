#include "engine/engine_under_test.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ostream>
#include <utility>

namespace convoy::test {

std::string Target::name() const {
  const char* devices[] = {"automatic", "cpu", "cuda"};
  const char* precisions[] = {"fp32", "tf32", "bf16", "fp16"};
  return std::string(devices[static_cast<int>(device)]) + "_" + precisions[static_cast<int>(precision)];
}

std::ostream& operator<<(std::ostream& out, const Target& target) {
  return out << target.name();
}

std::vector<Target> available_targets() {
  std::vector<Target> targets;
  for (const DeviceKind device : {DeviceKind::cpu, DeviceKind::cuda}) {
    for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16, Precision::fp16}) {
      if (precision_refusal(device, precision).empty()) targets.push_back({device, precision});
    }
  }
  return targets;
}

std::vector<Target> exact_targets() {
  std::vector<Target> targets = available_targets();
  std::erase_if(targets, [](const Target& target) { return target.precision != Precision::fp32; });
  return targets;
}

namespace {

int storage_bits(Precision precision) {
  switch (precision) {
    case Precision::fp32:
    case Precision::tf32:  // float32 in memory
      return 0;
    case Precision::bf16:
      return 8;
    case Precision::fp16:
      return 11;
  }
  return 0;
}

}  // namespace

EngineUnderTest::EngineUnderTest(const Target& target, const NetSpec& spec, const InputSpec& input,
                                 const OptimizerSettings& optimizer, int threads,
                                 std::shared_ptr<TuningMemory> memory)
    : target_(target), reference_(spec, input) {
  ReplicaOptions options;
  options.device = target.device;
  options.threads = threads;
  options.deterministic = memory == nullptr;
  options.memory = std::move(memory);
  replica_ = make_training_replica(spec, input, options, {.optimizer = optimizer});
  // On GPUs biases are of the activations' format.
  reference_.round_storage(storage_bits(target.precision), target.device == DeviceKind::cuda);
  if (target.device == DeviceKind::cuda) reference_.fuse_normalisation_and_pool(8);
  if (target.precision == Precision::tf32) reference_.round_products(11);
  // Enough that no gradient of these networks comes below fp16's normal numbers (6e-5), which the reference
  // does not know; a power of two, so that nothing else changes.
  if (target.precision == Precision::fp16) replica_->set_loss_scale({.scale = 1024});
  set_parameters(random_parameters(reference_.table(), 5));
}

void EngineUnderTest::set_parameters(const std::vector<float>& values) {
  reference_.set_parameters(values);
  replica_->write_parameters(values);
}

std::unique_ptr<Program> EngineUnderTest::compile(int batch, Mode mode) {
  return replica_->compile({batch, mode, target_.precision});
}

std::vector<float> EngineUnderTest::read_parameters() const {
  std::vector<float> values(replica_->table().size(), -1);
  replica_->read_parameters(values);
  return values;
}

std::vector<float> EngineUnderTest::read_gradients() const {
  std::vector<float> values(replica_->table().size(), -1);
  replica_->read_gradients(values);
  return values;
}

std::vector<float> EngineUnderTest::read_slot(int slot) const {
  std::vector<float> values(replica_->table().size(), -1);
  replica_->read_slot(slot, values);
  return values;
}

// fp32 has 24 bits of mantissa: sums of up to 9,216 products, √9216 · 2⁻²⁴ = 6e-6. Found: activations and
// gradients within 3e-6, in whole networks too. bf16 has 8 bits. The reference rounds what is stored, so what
// remains is where an engine's float32 sum and the reference's fall on two sides of a rounding (2⁻⁸ = 4e-3 of
// one value, seldom), and what follows from it. Found: gradients within 1e-2. fp16 has 11 bits, an eighth of
// bf16's errors; found 2e-3. tf32 rounds to 11 bits what enters a product and stores float32: the reference
// does the same, and what remains is as in fp16. A wrong rule shows as 0.3 or more.
//
// Where reference and engine decide for themselves which ReLU is on and which maximum won, what lies within a
// rounding of the other side may switch: one unit in 10⁷ changes a gradient's norm in a deep network by some
// 3e-4, and one ReLU of conv5 in a narrow network (16 channels, 3 rows) by up to 0.1, in whatever precision.
Tolerance EngineUnderTest::tolerance() const {
  const bool shallow = reference_.table().parameters().size() <= 8;
  switch (target_.precision) {
    case Precision::fp32:
      return shallow ? Tolerance{1e-5, 1e-5, 1e-5} : Tolerance{2e-5, 1e-5, 5e-4};
    case Precision::tf32:
    case Precision::fp16:
      return shallow ? Tolerance{2e-3, 4e-3, 4e-3} : Tolerance{4e-3, 4e-3, 0.12};
    case Precision::bf16:
      return shallow ? Tolerance{5e-3, 1.5e-2, 1.5e-2} : Tolerance{2e-2, 1.5e-2, 0.12};
  }
  return {};
}

double relative_error(std::span<const float> found, std::span<const double> expected) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double d = double{found[i]} - expected[i];
    difference += d * d;
    norm += expected[i] * expected[i];
  }
  // Where nothing is expected, anything found is wrong.
  if (norm == 0) return difference == 0 ? 0 : 1e30;
  return std::sqrt(difference / norm);
}

void expect_same_forward(EngineUnderTest& engine, Program& program, const TestBatch& batch, Mode mode,
                         const PassContext& context) {
  const Tolerance allowed = engine.tolerance();
  ReferenceNetwork& reference = engine.reference();
  program.forward(batch.view(), context);
  reference.forward(batch.view(), mode, context);

  const std::vector<double> expected = reference.probabilities();
  std::vector<float> probabilities(expected.size());
  program.read_probabilities(probabilities);
  // An error of the scores (of size 1 to 10) becomes the probabilities' relative error.
  EXPECT_LE(relative_error(probabilities, expected), 4 * allowed.forward) << "probabilities";

  const BatchMetrics found = program.metrics(), right = reference.metrics();
  EXPECT_EQ(found.samples, right.samples);
  EXPECT_NEAR(found.loss, right.loss, 4 * allowed.forward * std::max(1.0, right.loss));
  if (engine.target().precision == Precision::fp32) {
    EXPECT_EQ(found.top1, right.top1);
    EXPECT_EQ(found.top5, right.top5);
  }
}

void expect_same_gradients(EngineUnderTest& engine, double allowed) {
  std::vector<float> found = engine.read_gradients();
  const auto unscaled = static_cast<float>(1 / engine.replica().loss_scale().scale);
  for (float& gradient : found) gradient *= unscaled;
  const std::vector<double>& expected = engine.reference().gradients();
  std::size_t end = 0;
  for (const Parameter& parameter : engine.replica().table().parameters()) {
    for (; end < parameter.offset; ++end) ASSERT_EQ(found[end], 0) << "gap before " << parameter.path();
    end += parameter.elements;
    EXPECT_LE(relative_error(std::span(found).subspan(parameter.offset, parameter.elements),
                             std::span(expected).subspan(parameter.offset, parameter.elements)),
              allowed)
        << parameter.path();
  }
  for (; end < found.size(); ++end) ASSERT_EQ(found[end], 0) << "gap at the end";
}

void adopt_activations(EngineUnderTest& engine, const Program& program) {
  ReferenceNetwork& reference = engine.reference();
  const Tolerance allowed = engine.tolerance();
  const int last = static_cast<int>(reference.spec().layers.size()) - 1;  // the scores: the loss's own affair
  for (int layer = 0; layer < last; ++layer) {
    const std::vector<double>& expected = reference.activation(layer).values;
    std::vector<float> found(expected.size());
    program.read_activation(layer, found);
    EXPECT_LE(relative_error(found, expected), allowed.forward) << "after layer " << layer;
    reference.adopt_activation(layer, found);
  }
}

void expect_same_backward(EngineUnderTest& engine, Program& program, const PassContext& context, bool add) {
  adopt_activations(engine, program);
  program.backward(add, [](std::size_t) {});
  engine.reference().backward(context.gradient_scale, add);
  expect_same_gradients(engine, engine.tolerance().backward);
}

}  // namespace convoy::test
