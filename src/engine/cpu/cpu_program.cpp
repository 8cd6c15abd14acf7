#include "engine/cpu/cpu_program.hpp"

#include <algorithm>
#include <type_traits>

#include "engine/cpu/cpu_replica.hpp"
#include "engine/cpu/update_loop.hpp"

namespace convoy::cpu {

namespace {

// Layers whose output is positive exactly where their input's winner is: the gradient of a ReLU before them
// may be taken behind them, on the smaller map (a gradient that reaches a place holding 0 is dropped either
// way).
bool keeps_positive(const Layer& layer) {
  return std::holds_alternative<LocalResponseNormalisation>(layer) || std::holds_alternative<MaxPool>(layer);
}

bool has_parameters(const Layer& layer) {
  return std::holds_alternative<Convolution>(layer) || std::holds_alternative<FullyConnected>(layer);
}

}  // namespace

CpuProgram::CpuProgram(CpuState& state, const ProgramOptions& options, bool every_activation)
    : state_(state), options_(options), counts_(options.mode == Mode::training && !every_activation) {
  ensure(options.micro_batches >= 1, "a step has at least one pass");
  staged_.resize(static_cast<std::size_t>(options.micro_batches));
  if (options.batch < 1) fail(ExitCode::bug, "a program for a batch of {} was asked for", options.batch);
  if (const std::string refusal = cpu_precision_refusal(options.precision); !refusal.empty()) {
    fail(ExitCode::usage, "{}", refusal);
  }
  if (options.mode == Mode::training) ensure(state.options.for_training, "the replica was made for training");
  state_.use_threads();
  Builder builder(state_.library,
                  {.parameters = state_.parameters.as<float>().data(),
                   .gradients = state_.gradients.as<float>().data(),
                   .table = &state_.table,
                   .copies = &state_.copies},
                  options, every_activation);
  build(builder, every_activation);
  if (options.mode == Mode::training && !every_activation) build_backward(builder);
  arena_ = builder.place();
  tensors_ = builder.take_tensors();
  gradient_views_ = builder.take_gradient_views();
  gradient_base_ = state_.gradients.as<float>().data();
}

void CpuProgram::build(Builder& builder, bool every_activation) {
  const std::vector<Layer>& layers = state_.spec.layers;
  input_ = std::make_unique<InputStage>(builder, state_.input, state_.spec.input);
  Tensor* current = input_->output();
  bool mask_due = false;  // a fused ReLU's gradient is still to be placed
  for (std::size_t index = 0; index < layers.size(); ++index) {
    const bool relu = !every_activation && has_parameters(layers[index]) && index + 1 < layers.size() &&
                      std::holds_alternative<Relu>(layers[index + 1]);
    if (mask_due && !keeps_positive(layers[index])) {
      operations_.push_back(make_relu_mask(current));
      mask_due = false;
    }
    current = add_layer(builder, index, current, relu);
    activations_.push_back(current);
    if (!relu) continue;
    mask_due = true;
    ++index;
    activations_.push_back(current);
  }
  if (mask_due) operations_.push_back(make_relu_mask(current));
  loss_ = std::make_unique<LossStage>(builder, current);
}

Tensor* CpuProgram::add_layer(Builder& builder, std::size_t index, Tensor* input, bool relu) {
  const bool last = index + 1 == state_.spec.layers.size();
  OperationPointer operation = std::visit(
      [&](const auto& layer) -> OperationPointer {
        using Kind = std::decay_t<decltype(layer)>;
        if constexpr (std::is_same_v<Kind, Convolution>) {
          return make_convolution(builder, layer, input, relu);
        } else if constexpr (std::is_same_v<Kind, FullyConnected>) {
          return make_fully_connected(builder, layer, input, relu, last);
        } else if constexpr (std::is_same_v<Kind, Relu>) {
          return make_relu(builder, input);
        } else if constexpr (std::is_same_v<Kind, LocalResponseNormalisation>) {
          return make_normalisation(builder, layer, input);
        } else if constexpr (std::is_same_v<Kind, MaxPool>) {
          return make_max_pool(builder, layer, input);
        } else if constexpr (std::is_same_v<Kind, AdaptiveAveragePool>) {
          return make_adaptive_average_pool(builder, layer, input);
        } else {
          static_assert(std::is_same_v<Kind, Dropout>);
          const int number = dropout_layers_++;
          if (!builder.training() || layer.p == 0) return nullptr;  // the identity
          return make_dropout(builder, layer, number, input);
        }
      },
      state_.spec.layers[index]);
  if (operation == nullptr) return input;
  Tensor* output = operation->output();
  operations_.push_back(std::move(operation));
  return output;
}

void CpuProgram::build_backward(Builder& builder) {
  Tensor* gradient = loss_->prepare_backward(builder);
  // Nothing before the first operation with parameters needs a gradient.
  const auto first =
      std::find_if(operations_.begin(), operations_.end(),
                   [](const OperationPointer& operation) { return operation->has_parameters(); });
  first_with_parameters_ = static_cast<std::size_t>(first - operations_.begin());
  for (std::size_t index = operations_.size(); index-- > first_with_parameters_;) {
    gradient = operations_[index]->prepare_backward(builder, gradient, index > first_with_parameters_);
  }
}

void CpuProgram::stage(int micro, const BatchView& batch, const PassContext& context) {
  ensure(batch.rows >= 0 && batch.rows <= options_.batch, "a batch fits its program");
  staged_.at(static_cast<std::size_t>(micro)) = {batch, context};
}

void CpuProgram::forward_staged(int micro) {
  const auto& [batch, context] = staged_.at(static_cast<std::size_t>(micro));
  state_.use_threads();
  Library& library = state_.library;
  library.measure = measure_;
  library.primitive_seconds = 0;
  batch_ = batch;
  activations_current_ = false;
  pass_ = {.library = &library,
           .context = context,
           .first_position = batch.first_position,
           .rows = batch.rows,
           .parameter_version = state_.parameter_version,
           .gradients_computed = {}};
  if (batch.rows > 0) {
    input_->run(batch);
    for (const OperationPointer& operation : operations_) operation->forward(pass_);
  }
  loss_->forward(library, batch);
  if (counts_) state_.step_metrics += loss_->metrics();
  primitive_seconds_ = library.primitive_seconds;
}

void CpuProgram::backward(bool add, const GradientsReady& ready) {
  ensure(options_.mode == Mode::training, "backward belongs to training programs");
  if (pass_.rows == 0) return zero_gradients(add, ready);
  state_.use_threads();
  Library& library = state_.library;
  library.measure = measure_;
  library.primitive_seconds = 0;
  float* gradients = state_.gradients.as<float>().data();
  // Accumulation computes beside the sum and adds layer by layer: primitives can only store.
  if (add && state_.added_gradients.size() == 0)
    state_.added_gradients = AlignedBuffer(state_.gradients.size());
  bind_gradients(add ? state_.added_gradients.as<float>().data() : gradients);
  std::size_t announced = 0;
  pass_.gradients_computed = [&](std::size_t begin, std::size_t end) {
    if (add) add_range(gradient_base_, gradients, begin, end);
    // The gap behind a tensor is final too: it is always zero.
    const std::size_t aligned = (end + parameter_alignment - 1) / parameter_alignment * parameter_alignment;
    announced = std::min(aligned, state_.table.size());
    if (ready) ready(announced);
  };
  loss_->backward(pass_.context.gradient_scale);
  for (std::size_t index = operations_.size(); index-- > first_with_parameters_;) {
    operations_[index]->backward(pass_);
  }
  pass_.gradients_computed = {};
  ensure(announced == state_.table.size(), "backward computed every gradient");
  primitive_seconds_ += library.primitive_seconds;
}

void CpuProgram::bind_gradients(float* base) {
  if (base == gradient_base_) return;
  for (GradientView& view : gradient_views_) view.values.set_data_handle(base + view.offset);
  gradient_base_ = base;
}

// No rows, no gradients: what other ranks add to is zero.
void CpuProgram::zero_gradients(bool add, const GradientsReady& ready) {
  const std::span<float> gradients = state_.gradients.as<float>();
  if (!add) std::fill(gradients.begin(), gradients.end(), 0.0F);
  if (ready) ready(state_.table.size());
}

void CpuProgram::read_probabilities(std::span<float> out) const {
  const std::span<const float> values = loss_->probabilities();
  ensure(out.size() >= values.size(), "probabilities fit where they are read to");
  std::copy(values.begin(), values.end(), out.begin());
}

void CpuProgram::read_activation(int layer_index, std::span<float> out) const {
  ensure(layer_index >= 0 && static_cast<std::size_t>(layer_index) < state_.spec.layers.size(),
         "the activation of a layer that exists is read");
  if (every_activation_ == nullptr) every_activation_ = std::make_unique<CpuProgram>(state_, options_, true);
  if (!activations_current_) {
    every_activation_->forward(batch_, pass_.context);
    activations_current_ = true;
  }
  every_activation_->copy_activation(static_cast<std::size_t>(layer_index), out);
}

void CpuProgram::copy_activation(std::size_t layer, std::span<float> out) const {
  const Tensor& tensor = *activations_[layer];
  memory::dims dimensions = tensor.desc.dims();
  AlignedBuffer whole(plain_desc(dimensions, memory::data_type::f32).get_size());
  memory canonical(plain_desc(dimensions, memory::data_type::f32), state_.library.engine, whole.data());
  memory source = tensor.values;
  checked("reading an activation",
          [&] { dnnl::reorder(source, canonical).execute(state_.library.stream, source, canonical); });
  const std::size_t wanted = whole.as<float>().size() / static_cast<std::size_t>(dimensions[0]) *
                             static_cast<std::size_t>(pass_.rows);
  ensure(out.size() >= wanted, "an activation fits where it is read to");
  std::copy_n(whole.as<float>().begin(), wanted, out.begin());
}

}  // namespace convoy::cpu
