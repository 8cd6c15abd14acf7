#include "engine/cpu/cpu_program.hpp"

#include <algorithm>

#include "engine/cpu/convolution_layouts.hpp"
#include "engine/cpu/cpu_replica.hpp"
#include "engine/cpu/update_loop.hpp"

namespace convoy::cpu {

CpuProgram::CpuProgram(CpuState& state, const ProgramOptions& options, bool every_activation)
    : state_(state),
      options_(options),
      counts_(options.mode == Mode::training && !every_activation),
      checks_(state.spec, state.input, options.batch),
      plan_(plan_layers(state.spec, state.table,
                        {.training = options.mode == Mode::training, .every_activation = every_activation})) {
  ensure(options.micro_batches >= 1, "a step has at least one pass");
  staged_.resize(static_cast<std::size_t>(options.micro_batches));
  if (options.batch < 1) fail(ExitCode::bug, "a program for a batch of {} was asked for", options.batch);
  if (const std::string refusal = cpu_precision_refusal(options.precision); !refusal.empty()) {
    fail(ExitCode::usage, "{}", refusal);
  }
  if (options.mode == Mode::training)
    ensure(state.trains(), "a training program belongs to a training replica");
  state_.use_threads();
  Tuner alone = state_.tuner.alone();  // pictures are made by one rank
  Builder builder(state_.library,
                  {.parameters = state_.parameters.as<float>().data(),
                   .gradients = state_.gradients.as<float>().data(),
                   .table = &state_.table,
                   .copies = &state_.copies,
                   .backing = state_.backing},
                  options, every_activation, every_activation ? alone : state_.tuner);
  build(builder);
  if (counts_) build_backward(builder);
  arena_ = builder.place();
  tensors_ = builder.take_tensors();
  gradient_views_ = builder.take_gradient_views();
  gradient_base_ = state_.gradients.as<float>().data();
}

void CpuProgram::build(Builder& builder) {
  // An input that is a layer's activation stays as it is.
  const bool patches =
      !state_.spec.layers.empty() && std::holds_alternative<Convolution>(state_.spec.layers.front());
  input_ = std::make_unique<InputStage>(builder, state_.input, state_.spec.input, patches);
  Tensor* current = input_->output();
  for (std::size_t i = 0; i < plan_.operations.size(); ++i) {
    const PlannedOperation& planned = plan_.operations[i];
    const auto chain = chain_at(plan_.operations, i);
    const std::size_t behind = i + chain.size();
    builder.enter(chain, behind < plan_.operations.size() ? &plan_.operations[behind] : nullptr);
    operations_.push_back(std::visit(
        [&](const auto& kind) { return make_operation(builder, kind, planned, current); }, planned.kind));
    current = operations_.back()->output();
    names_.push_back(operation_name(planned.kind));
  }
  loss_ = std::make_unique<LossStage>(builder, current);
}

void CpuProgram::build_backward(Builder& builder) {
  Tensor* gradient = loss_->prepare_backward(builder);
  for (const BackwardStep& step : plan_.backward)
    gradient = operations_[step.operation]->prepare_backward(builder, gradient, step.input_gradient);
}

void CpuProgram::stage(int micro, const BatchView& batch, const PassContext& context) {
  checks_.check(batch);
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
    TimelineRow* const row = counts_ ? state_.row : nullptr;
    {
      const TimelineScope scope(row, "input transform");
      input_->run(batch);
    }
    for (std::size_t i = 0; i < operations_.size(); ++i) {
      const TimelineScope scope(row, names_[i].c_str());
      operations_[i]->forward(pass_);
    }
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
  BackwardStep running;
  std::size_t announced = 0;
  pass_.gradients_computed = [&] {
    if (add) add_range(gradient_base_, gradients, running.begin, running.end);
    announced = running.end;
    if (ready) ready(announced);
  };
  loss_->backward(pass_.context.gradient_scale);
  for (const BackwardStep& step : plan_.backward) {
    running = step;
    const TimelineScope scope(state_.row, names_[step.operation].c_str());
    operations_[step.operation]->backward(pass_);
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
  const std::optional<std::size_t> operation = plan_.activations[layer];
  const Tensor& tensor = *(operation ? operations_[*operation]->output() : input_->output());
  memory::dims dimensions = dims_of(tensor.desc);
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
