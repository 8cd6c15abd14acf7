// The seam between training and an engine: a Replica owns one network's parameters, gradients and optimiser
// slots on one device; Programs compiled from it run forward and backward. train/ and cli/ know only this
// header; cpu/ (oneDNN) and cuda/ (cuDNN) implement it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>

#include "base/words.hpp"
#include "data/batch.hpp"
#include "device/device_stream.hpp"
#include "engine/optimizer_table.hpp"
#include "model/net_spec.hpp"
#include "model/parameter_table.hpp"

namespace convoy {

enum class Precision { fp32, tf32, bf16, fp16 };

inline Words<Precision> precision_words() {
  return {{"fp32", Precision::fp32},
          {"tf32", Precision::tf32},
          {"bf16", Precision::bf16},
          {"fp16", Precision::fp16}};
}
enum class Mode { training, evaluation };

struct ProgramOptions {
  int batch = 0;  // most rows a BatchView may have
  Mode mode = Mode::training;
  Precision precision = Precision::fp32;
  int micro_batches = 1;  // passes of one step (accumulation): places that stage() fills
};

// What one pass needs beside the batch.
struct PassContext {
  std::uint64_t seed = 0;
  std::int64_t step = 0;      // completed updates: names the dropout bits
  double gradient_scale = 1;  // 1 ÷ samples of the global batch: multiplied into the loss gradient (fp16:
                              // times the replica's own loss scale)
};

// Sums over the rows of the last forward pass.
struct BatchMetrics {
  double loss = 0;  // Σ −ln p(true class)
  std::int64_t top1 = 0, top5 = 0, samples = 0;

  BatchMetrics& operator+=(const BatchMetrics& other) {
    loss += other.loss;
    top1 += other.top1;
    top5 += other.top5;
    samples += other.samples;
    return *this;
  }
};

// Called during backward: elements [0, end) of the flat gradient buffer are final (in the order of
// ParameterTable). `end` grows from call to call; the last call has end = table.size().
using GradientsReady = std::function<void(std::size_t end)>;

// A compiled network for one batch size, mode and precision. A pass allocates nothing. Not thread-safe.
//
// On a GPU stage, forward_staged and backward only enqueue; whatever returns values to the host waits for the
// device. On the CPU each returns when its work is done.
class Program {
 public:
  virtual ~Program() = default;

  // Hands over the batch of pass `micro` (0 … micro_batches − 1; 0 begins a step). A GPU copies it while
  // earlier steps still compute, so the memory behind `batch` must stay as it is until the step's result was
  // taken (Replica::take_result) or metrics() was called.
  virtual void stage(int micro, const BatchView& batch, const PassContext& context) = 0;

  // Runs the network on what was staged. Absent rows (rows < batch) count nowhere.
  virtual void forward_staged(int micro) = 0;

  // Both in one: for evaluation, tests and single passes.
  void forward(const BatchView& batch, const PassContext& context) {
    stage(0, batch, context);
    forward_staged(0);
  }

  // Gradients of Σ loss × context.gradient_scale of the last forward (training programs only; once a forward
  // pass, whose activations it uses up) into the replica's flat gradient buffer: stored, or added to what is
  // there when `add` (accumulation over micro-batches).
  virtual void backward(bool add, const GradientsReady& ready) = 0;

  // Of the last forward pass.
  virtual BatchMetrics metrics() const = 0;

  // Softmax of the last forward pass, rows × classes.
  virtual void read_probabilities(std::span<float> out) const = 0;

  // Activation after layer `index` of NetSpec::layers in canonical order, rows × C × H × W, of the last
  // forward pass; for pictures and tests. The pass is repeated as needed, with the same dropout, and counts
  // nowhere; its batch must still be there and parameters as they were.
  virtual void read_activation(int layer_index, std::span<float> out) const = 0;

  // Seconds spent inside library primitives in the last forward + backward, for benchmarks; 0 when not
  // measured.
  virtual double primitive_seconds() const { return 0; }
  virtual void measure_primitives(bool /*on*/) {}
};

// Which flat buffer of a replica.
enum class Slot { parameters, gradients, optimizer0, optimizer1 };

// What a step is made of, for its times (and for profilers, as named ranges).
enum class Phase { forward, backward, exposed, update };

struct PhaseSeconds {
  double forward = 0, backward = 0, exposed = 0, update = 0;
};

// What is known of a step once the device has come to its end.
struct StepResult {
  UpdateResult update;
  BatchMetrics metrics;   // of all training passes since the update before, of this rank
  double loss_scale = 1;  // that the step was computed with
  PhaseSeconds seconds;   // measured where the work was done: on the CPU's clock or the device's
};

class Replica {
 public:
  virtual ~Replica() = default;

  virtual const NetSpec& spec() const = 0;
  virtual const ParameterTable& table() const = 0;
  virtual std::string_view device_name() const = 0;  // "cpu", "cuda"

  // Whole flat buffers in canonical order, host side; waits for the device. Slots that the optimiser lacks
  // throw ExitCode::bug.
  virtual void write(Slot slot, std::span<const float> values) = 0;
  virtual void read(Slot slot, std::span<float> values) const = 0;

  // The live gradient buffer, in the memory that the matching Collective reduces: host memory on the CPU,
  // device memory (not to be touched by the host) on a GPU. Its order there may be the engine's own, the same
  // on every rank.
  virtual std::span<float> gradient_memory() = 0;

  // The stream on which passes and updates run, for the Collective; null on the CPU.
  virtual DeviceStream compute_stream() const { return {}; }

  // Where a loader's batches are best kept: page-locked memory on a GPU. Valid as long as the replica.
  virtual std::pmr::memory_resource& transfer_memory() { return *std::pmr::get_default_resource(); }

  // Collective where ReplicaOptions::agree is set: every rank compiles the same programs in the same order.
  virtual std::unique_ptr<Program> compile(const ProgramOptions& options) = 0;

  // Runs one step: `enqueue` calls forward_staged, backward, the reducer, inspect_gradients and apply_update,
  // always the same calls in the same order. Where `capturable` (everything in it only enqueues), a GPU may
  // record them once as a graph and from then on replay it without calling `enqueue`. Where recording is
  // refused `enqueue` is called again, and must then start afresh.
  virtual void run_step(Program& /*program*/, bool /*capturable*/, const std::function<void()>& enqueue) {
    enqueue();
  }

  // From here on, the step is in `phase`; called inside `enqueue`.
  virtual void enter(Phase phase) = 0;

  // Norm and finiteness of the reduced gradient range [begin, end), accumulated until the update takes them.
  virtual void inspect_gradients(std::size_t begin, std::size_t end) = 0;

  // The rates and number of the next update; before run_step. `step.rates` is copied.
  virtual void stage_update(const UpdateStep& step) = 0;

  // One pass over the flat buffers by the optimiser's rule. When an inspected gradient was not finite nothing
  // changes (fp16: but the loss scale).
  virtual void apply_update() = 0;

  // The result of the oldest apply_update whose result was not taken yet; waits for the device to get there.
  virtual StepResult take_result() = 0;

  // How many results may be outstanding when a step has been enqueued: 0 on the CPU, 2 on a GPU.
  virtual int steps_ahead() const { return 0; }

  // Waits until everything enqueued has run. Throws what the device met.
  virtual void synchronise() {}

  virtual LossScale loss_scale() const { return {}; }  // waits for the device
  virtual void set_loss_scale(const LossScale& /*scale*/) {}

  // An update at once, for tests and benchmarks.
  UpdateResult update(const UpdateStep& step) {
    stage_update(step);
    apply_update();
    return take_result().update;
  }
};

}  // namespace convoy
