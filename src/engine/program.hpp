// A network compiled for one batch size, mode and precision. cpu/ (oneDNN) and cuda/ (cuDNN) implement it; a
// Replica compiles it; train/ and inference/ run it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "base/words.hpp"
#include "data/batch.hpp"
#include "engine/memory_use.hpp"

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
  // taken (TrainingReplica::take_result) or metrics() was called.
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

  virtual ProgramMemory memory_use() const { return {}; }
};

}  // namespace convoy
