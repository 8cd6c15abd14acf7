// The seam between training and an engine: a Replica owns one network's parameters, gradients and optimiser
// slots on one device; Programs compiled from it run forward and backward. train/ and cli/ know only this
// header; cpu/ (oneDNN) and cuda/ (cuDNN) implement it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "data/batch.hpp"
#include "engine/update.hpp"
#include "model/net_spec.hpp"
#include "model/parameter_table.hpp"

namespace convoy {

enum class Precision { fp32, tf32, bf16, fp16 };
enum class Mode { training, evaluation };

struct ProgramOptions {
  int batch = 0;  // most rows a BatchView may have
  Mode mode = Mode::training;
  Precision precision = Precision::fp32;
};

// What one pass needs beside the batch.
struct PassContext {
  std::uint64_t seed = 0;
  std::int64_t step = 0;      // completed updates: names the dropout bits
  double gradient_scale = 1;  // loss scale ÷ samples of the global batch: multiplied into the loss gradient
};

// Sums over the rows of the last forward pass.
struct BatchMetrics {
  double loss = 0;  // Σ −ln p(true class)
  std::int64_t top1 = 0, top5 = 0, samples = 0;
};

// Called during backward: elements [0, end) of the flat gradient buffer are final (in the order of
// ParameterTable). `end` grows from call to call; the last call has end = table.size().
using GradientsReady = std::function<void(std::size_t end)>;

// A compiled network for one batch size, mode and precision. A pass allocates nothing. Not thread-safe.
class Program {
 public:
  virtual ~Program() = default;

  // Runs the network; the loss and counts are then in metrics(). Absent rows (rows < batch) count nowhere.
  virtual void forward(const BatchView& batch, const PassContext& context) = 0;

  // Gradients of Σ loss × context.gradient_scale of the last forward (training programs only) into the
  // replica's flat gradient buffer: stored, or added to what is there when `add` (accumulation over
  // micro-batches).
  virtual void backward(bool add, const GradientsReady& ready) = 0;

  virtual BatchMetrics metrics() const = 0;

  // Softmax of the last forward pass, rows × classes.
  virtual void read_probabilities(std::span<float> out) const = 0;

  // Activation after layer `index` of NetSpec::layers in canonical order, rows × C × H × W, of the last
  // forward pass (evaluation: any layer, the pass is repeated as needed; for pictures and tests).
  virtual void read_activation(int layer_index, std::span<float> out) const = 0;

  // Seconds spent inside library primitives in the last forward + backward, for benchmarks; 0 when not
  // measured.
  virtual double primitive_seconds() const { return 0; }
  virtual void measure_primitives(bool /*on*/) {}
};

// Which flat buffer of a replica.
enum class Slot { parameters, gradients, optimizer0, optimizer1 };

class Replica {
 public:
  virtual ~Replica() = default;

  virtual const NetSpec& spec() const = 0;
  virtual const ParameterTable& table() const = 0;
  virtual std::string_view device_name() const = 0;  // "cpu", "cuda"

  // Whole flat buffers in canonical order, host side. Slots that the optimiser lacks throw ExitCode::bug.
  virtual void write(Slot slot, std::span<const float> values) = 0;
  virtual void read(Slot slot, std::span<float> values) const = 0;

  // The live gradient buffer, in the memory that the matching Collective reduces (host memory on the CPU).
  virtual std::span<float> gradient_memory() = 0;

  virtual std::unique_ptr<Program> compile(const ProgramOptions& options) = 0;

  // Norm and finiteness of the reduced gradient range [begin, end), accumulated until update() takes them.
  virtual void inspect_gradients(std::size_t begin, std::size_t end) = 0;

  // One pass over the flat buffers by the optimiser's rule. When an inspected gradient was not finite nothing
  // changes.
  virtual UpdateResult update(const UpdateStep& step) = 0;
};

}  // namespace convoy
