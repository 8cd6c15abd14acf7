// The tensors of a training program on a GPU with their lifetimes, as the operations of engine/cuda announce
// them, without its libraries: tests/plan/test_gpu_memory.cpp compares the result with what the engine takes
// on an emulated device. Tensors are placed by the engine's own planner.
#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <variant>

#include "engine/input_patches.hpp"
#include "engine/layer_plan.hpp"
#include "engine/memory_plan.hpp"
#include "plan/rank_memory.hpp"

namespace convoy {
namespace {

struct Format {
  bool channels_last = false;
  std::size_t element_bytes = 4;
};

Format format_of(Precision precision) {
  const bool narrow = precision == Precision::bf16 || precision == Precision::fp16;
  return {.channels_last = precision != Precision::fp32, .element_bytes = narrow ? std::size_t{2} : 4};
}

struct Tensor {
  Shape shape;
  std::size_t bytes = 0;
  int first = 0, last = 0;
  bool overwritable = false;
};

// The engine's Builder (engine/cuda/cuda_builder.hpp), of which only lifetimes are left.
class Announcements {
 public:
  Announcements(int rows, std::size_t element_bytes) : rows_(rows), element_bytes_(element_bytes) {}

  Tensor* tensor(const Shape& shape) { return tensor(shape, element_bytes_); }
  Tensor* tensor(const Shape& shape, std::size_t element_bytes) {
    Tensor* result =
        scratch(static_cast<std::size_t>(shape.elements()) * static_cast<std::size_t>(rows_) * element_bytes);
    result->shape = shape;
    return result;
  }
  Tensor* scratch(std::size_t bytes) {
    return &tensors_.emplace_back(Tensor{.shape = {}, .bytes = bytes, .first = now_, .last = now_});
  }
  void lasting(std::size_t bytes) {
    Tensor* result = scratch(bytes);
    result->first = 0;
    result->last = std::numeric_limits<int>::max();
  }
  void use(Tensor* tensor) { tensor->last = std::max(tensor->last, now_); }
  void tick() { ++now_; }
  int rows() const { return rows_; }
  std::size_t element_bytes() const { return element_bytes_; }

  std::size_t place() const {
    std::vector<PlannedPiece> pieces;
    for (const Tensor& tensor : tensors_)
      pieces.push_back({.bytes = tensor.bytes, .first = tensor.first, .last = tensor.last});
    return plan_memory(pieces);
  }

 private:
  int rows_;
  std::size_t element_bytes_;
  int now_ = 0;
  std::deque<Tensor> tensors_;
};

// One operation: its forward pass when it is made, its backward pass when that is announced.
class Announced {
 public:
  Announced(Announcements& to, const PlannedOperation& planned, const Format& format, Tensor* input)
      : to_(to), planned_(planned), format_(format), input_(input), source_(input) {
    std::visit([&](const auto& kind) { forward(kind); }, planned.kind);
  }

  Tensor* output() const { return output_; }

  // Returns the gradient of the input; null where none is wanted.
  Tensor* backward(Tensor* gradient, bool input_gradient) {
    return std::visit([&](const auto& kind) { return backward(kind, gradient, input_gradient); },
                      planned_.kind);
  }

 private:
  void make_output(Tensor* read) {
    output_ = to_.tensor(planned_.output);
    output_->overwritable = true;
    to_.use(read);
    to_.tick();
  }

  // A copy of the input with its padding, where that is uneven.
  void pad(const Padding& padding) {
    if (padding.before == padding.after) return;
    const int more = padding.before + padding.after;
    const Shape& shape = input_->shape;
    source_ = to_.tensor({shape.channels, shape.height + more, shape.width + more});
    to_.use(input_);
    to_.tick();
  }

  Tensor* gradient_of_source() {
    Tensor* const gradient = to_.tensor(source_->shape);
    to_.tick();
    if (source_ == input_) return gradient;
    to_.use(gradient);
    Tensor* const unpadded = to_.tensor(input_->shape);
    to_.tick();
    return unpadded;
  }

  void bias_gradient(Tensor* gradient) {
    to_.use(gradient);
    if (planned_.takes_relu_gradient) to_.use(output_);
    to_.tick();
  }

  // The gradient of weights, then the way to that of the inputs.
  bool weight_gradient(Tensor* gradient, bool input_gradient) {
    to_.use(source_);
    to_.use(gradient);
    to_.tick();
    if (input_gradient) to_.use(gradient);
    return input_gradient;
  }

  Tensor* in_one_tick(Tensor* gradient, bool input_gradient, std::initializer_list<Tensor*> read) {
    if (!input_gradient) return nullptr;
    Tensor* const result = to_.tensor(input_->shape);
    to_.use(gradient);
    for (Tensor* tensor : read) to_.use(tensor);
    to_.tick();
    return result;
  }

  void forward(const Convolution& layer) {
    if (planned_.input_patch > 1) {
      const int kernel = patched_kernel(layer.kernel, planned_.input_patch);
      to_.scratch(static_cast<std::size_t>(layer.filters) * static_cast<std::size_t>(kernel * kernel) *
                  static_cast<std::size_t>(input_->shape.channels) * to_.element_bytes());
    } else if (!planned_.input_padded) {
      pad(layer.padding);
    }
    make_output(source_);
  }
  Tensor* backward(const Convolution&, Tensor* gradient, bool input_gradient) {
    if (!planned_.leaves_bias_gradient) bias_gradient(gradient);
    return weight_gradient(gradient, input_gradient) ? gradient_of_source() : nullptr;
  }

  void forward(const FullyConnected&) {
    output_ = to_.tensor(planned_.output, planned_.scores ? sizeof(float) : to_.element_bytes());
    output_->overwritable = true;
    to_.use(input_);
    to_.tick();
  }
  Tensor* backward(const FullyConnected&, Tensor* gradient, bool input_gradient) {
    bias_gradient(gradient);
    if (!weight_gradient(gradient, input_gradient)) return nullptr;
    Tensor* const result = to_.tensor(input_->shape);
    to_.tick();
    return result;
  }

  // Half a byte for each pooled value says where its maximum is.
  void forward(const FusedPool&) {
    codes_ = to_.scratch(static_cast<std::size_t>(planned_.output.elements()) *
                         static_cast<std::size_t>(to_.rows()) / 2);
    make_output(input_);
  }
  Tensor* backward(const FusedPool& layer, Tensor* gradient, bool input_gradient) {
    if (layer.normalisation) return in_one_tick(gradient, input_gradient, {codes_, input_});
    return in_one_tick(gradient, input_gradient, {codes_});
  }

  void forward(const LocalResponseNormalisation&) {
    make_output(input_);
    output_->overwritable = format_.channels_last;
  }
  Tensor* backward(const LocalResponseNormalisation&, Tensor* gradient, bool input_gradient) {
    if (format_.channels_last) return in_one_tick(gradient, input_gradient, {input_});
    return in_one_tick(gradient, input_gradient, {input_, output_});
  }

  void forward(const MaxPool& layer) {
    pad(layer.padding);
    make_output(source_);
    output_->overwritable = false;
  }
  Tensor* backward(const MaxPool&, Tensor* gradient, bool input_gradient) {
    if (!input_gradient) return nullptr;
    for (Tensor* tensor : {source_, output_, gradient}) to_.use(tensor);
    return gradient_of_source();
  }

  void forward(const AdaptiveAveragePool&) { make_output(input_); }
  Tensor* backward(const AdaptiveAveragePool&, Tensor* gradient, bool input_gradient) {
    return in_one_tick(gradient, input_gradient, {});
  }

  void forward(const Relu&) { make_output(input_); }
  Tensor* backward(const Relu&, Tensor* gradient, bool input_gradient) {
    return in_place(gradient, input_gradient);
  }

  void forward(const ReluGradient&) { output_ = input_; }
  Tensor* backward(const ReluGradient&, Tensor* gradient, bool input_gradient) {
    return in_place(gradient, input_gradient);
  }
  Tensor* in_place(Tensor* gradient, bool input_gradient) {
    if (!input_gradient) return nullptr;
    to_.use(gradient);
    to_.use(output_);
    to_.tick();
    return gradient;
  }

  void forward(const Dropout&) {
    output_ = input_->overwritable ? input_ : to_.tensor(input_->shape);
    to_.use(input_);
    to_.use(output_);
    to_.tick();
  }
  Tensor* backward(const Dropout&, Tensor* gradient, bool input_gradient) {
    if (!input_gradient || planned_.leaves_gradient) return input_gradient ? gradient : nullptr;
    to_.use(gradient);
    to_.tick();
    return gradient;
  }

  Announcements& to_;
  const PlannedOperation& planned_;
  Format format_;
  Tensor *input_, *source_;
  Tensor *output_ = nullptr, *codes_ = nullptr;
};

// The shapes that the engine's fused pool takes (engine/cuda/fused_pool.hpp).
bool serves_fused_pool(const FusedPool& fused, const Shape& input, const Format& format) {
  const MaxPool& pool = fused.pool;
  const int most_channels = format.element_bytes == 4 ? 896 : 1792;
  if (!format.channels_last || input.channels % 8 != 0 || input.channels > most_channels) return false;
  if (pool.window != 3 || pool.stride != 2 || pool.padding.before != 0) return false;
  if (input.height < 3 || input.width < 3) return false;
  const auto begins_inside = [&](int side) { return (side + pool.padding.after - 3) / 2 * 2 < side; };
  if (!begins_inside(input.height) || !begins_inside(input.width)) return false;
  if (!fused.normalisation) return true;
  const int size = fused.normalisation->size;
  return size >= 3 && size <= 9 && size % 2 == 1;
}

std::size_t staged_bytes(const InputSpec& input, int rows) {
  const auto aligned = [](std::size_t bytes) { return (bytes + 255) / 256 * 256; };
  const auto side = static_cast<std::size_t>(input.stored_side), count = static_cast<std::size_t>(rows);
  return count * side * side * 3 + 256 + aligned(count * sizeof(SampleTransform)) +
         aligned(count * sizeof(std::int32_t));
}

}  // namespace

ProgramMemory plan_gpu_program(const NetSpec& network, const InputSpec& input,
                               const ProgramOptions& options) {
  const Format format = format_of(options.precision);
  const ParameterTable table(network);
  const LayerPlan plan = plan_layers(network, table,
                                     {.training = true,
                                      .own_relu_gradient = true,
                                      .folds_dropout = true,
                                      .pads_input = true,
                                      .patches_input = format.channels_last,
                                      .serves_fused_pool = [&](const FusedPool& fused, const Shape& shape) {
                                        return serves_fused_pool(fused, shape, format);
                                      }});
  Announcements to(options.batch, format.element_bytes);
  to.lasting(input.mean.size() * sizeof(float));
  Tensor* current = to.tensor(plan.input);
  current->overwritable = true;
  to.tick();
  std::deque<Announced> operations;
  for (const PlannedOperation& planned : plan.operations)
    current = operations.emplace_back(to, planned, format, current).output();
  const Shape scores = {class_count(network), 1, 1};
  to.lasting(static_cast<std::size_t>(options.batch) * static_cast<std::size_t>(scores.channels) *
             sizeof(float));
  Tensor* gradient = to.tensor(scores);
  to.use(current);
  to.tick();
  for (const BackwardStep& step : plan.backward)
    gradient = operations[step.operation].backward(gradient, step.input_gradient);
  return {
      .activations = to.place(),
      .staging = 2 * static_cast<std::size_t>(options.micro_batches) * staged_bytes(input, options.batch)};
}

}  // namespace convoy
