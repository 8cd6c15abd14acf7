#include "engine/cuda/cuda_program.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "device/cuda/check.hpp"
#include "engine/cuda/profiler_range.hpp"

namespace convoy::cuda {

namespace {

PlanOptions plan_options(const ProgramResources& resources, const ProgramOptions& options,
                         const Builder& builder) {
  PlanOptions result;
  result.training = options.mode == Mode::training;
  result.every_activation = builder.keeps_all();
  result.own_relu_gradient = true;
  result.folds_dropout = true;
  result.pads_input = true;
  // Where every activation is kept too: the sums of conv1 have the order that they have in training, so its
  // activation is the same. The input itself is an activation only where the first layer is an identity.
  result.patches_input = layout_of(builder.precision()) == Layout::channels_last;
  if (resources.fused_pool) {
    result.serves_fused_pool = [&builder](const FusedPool& pool, const Shape& input) {
      return serves_fused_pool(pool, builder.map(input));
    };
  }
  return result;
}

}  // namespace

CudaProgram::CudaProgram(const ProgramResources& resources, const ProgramOptions& options)
    : resources_(resources), options_(options), keeps_all_(false) {
  compile();
}

CudaProgram::CudaProgram(const ProgramResources& resources, const ProgramOptions& options, EveryActivation)
    : resources_(resources), options_(options), keeps_all_(true) {
  compile();
}

CudaProgram::~CudaProgram() {
  // Errors were reported where they mattered; here the memory only must be out of use.
  cudaSetDevice(resources_.device);
  cudaStreamSynchronize(resources_.copy);
  cudaStreamSynchronize(resources_.compute);
}

void CudaProgram::compile() {
  if (options_.batch < 1) fail(ExitCode::bug, "a program for a batch of {} was asked for", options_.batch);
  ensure(options_.micro_batches >= 1, "a step has at least one pass");
  Builder builder(resources_, options_, keeps_all_);
  if (!keeps_all_) batches_.emplace(builder, resources_, options_.micro_batches);
  build(builder);
  if (options_.mode == Mode::training && !keeps_all_) build_backward(builder);
  builder.choose_algorithms();
  arena_ = builder.place();
  workspace_bytes_ = builder.workspace_bytes();
  tensors_ = builder.take_tensors();
  convolutions_ = builder.take_convolutions();
  upload_mean();
}

ProgramMemory CudaProgram::memory_use() const {
  ProgramMemory memory{.workspace = workspace_bytes_,
                       .staging = batches_ ? batches_->device_bytes() : std::size_t{0}};
  memory.activations = arena_.size() - memory.workspace - memory.staging;
  return memory;
}

void CudaProgram::build(Builder& builder) {
  plan_ = plan_layers(*resources_.spec, *resources_.table, plan_options(resources_, options_, builder));
  add_input(builder);
  Tensor* current = input_;
  for (const PlannedOperation& planned : plan_.operations) {
    operations_.push_back(std::visit(
        [&](const auto& kind) { return make_operation(builder, kind, planned, current); }, planned.kind));
    current = operations_.back()->output();
  }
  loss_.emplace(builder, resources_, current);
}

void CudaProgram::add_input(Builder& builder) {
  mean_ = builder.lasting(resources_.input->mean.size() * sizeof(float));
  input_ = builder.tensor(builder.map(plan_.input));
  input_->overwritable = true;
  builder.tick();
}

void CudaProgram::upload_mean() {
  check(cudaMemcpyAsync(mean_->data, resources_.input->mean.data(), mean_->bytes, cudaMemcpyHostToDevice,
                        resources_.compute),
        "the mean of the images");
  check(cudaStreamSynchronize(resources_.compute), "the mean of the images");
}

void CudaProgram::build_backward(Builder& builder) {
  Tensor* gradient = loss_->gradient();
  for (const BackwardStep& step : plan_.backward)
    gradient = operations_[step.operation]->prepare_backward(builder, gradient, step.input_gradient);
}

void CudaProgram::stage(int micro, const BatchView& batch, const PassContext& context) {
  use_device(resources_.device);
  if (micro == 0 && reading_) end_step();
  batches_->stage(micro, batch, context);
  staged_micro_ = micro;
  arrived_ = false;
}

void CudaProgram::begin_step() {
  use_device(resources_.device);
  reading_ = true;
  if (std::exchange(arrived_, true)) return;
  batches_->wait_until_copied(resources_.compute);
}

void CudaProgram::end_step() {
  use_device(resources_.device);
  batches_->finished_reading(resources_.compute, batches_->parity());
  reading_ = false;
  // Where the step was replayed from a graph, these are its last pass.
  place_ = batches_->place(staged_micro_);
  rows_ = batches_->rows(staged_micro_);
  activations_current_ = false;
}

void CudaProgram::forward_staged(int micro) {
  begin_step();
  place_ = batches_->place(micro);
  rows_ = batches_->rows(micro);
  activations_current_ = false;
  run_forward(place_);
}

void CudaProgram::run_forward(const BatchPlace& place) {
  const Pass pass{.stream = resources_.compute, .place = place, .add = false, .gradients_enqueued = {}};
  const InputSpec& input = *resources_.input;
  {
    const ProfilerRange range("input");
    const InputConstants constants{.mean = static_cast<const float*>(mean_->data),
                                   .stored_side = input.stored_side,
                                   .mean_image = input.mean.size() > 3,
                                   .scale = {input.scale[0], input.scale[1], input.scale[2]}};
    const InputFrame frame{.side = resources_.spec->input.height,
                           .before = plan_.input_padding.before,
                           .patch = plan_.input_patch};
    input_stage(pass.stream, place.images, place.transforms, constants, place.pass, input_->data,
                input_->shape, frame);
  }
  for (const OperationPointer& operation : operations_) {
    const ProfilerRange range(operation->name());
    operation->forward(pass);
  }
  const ProfilerRange range("loss");
  loss_->forward(pass);
}

void CudaProgram::backward(bool add, const GradientsReady& ready) {
  ensure(options_.mode == Mode::training, "backward belongs to training programs");
  use_device(resources_.device);
  BackwardStep running;
  std::size_t announced = 0;
  Pass pass{.stream = resources_.compute, .place = place_, .add = add, .gradients_enqueued = {}};
  pass.gradients_enqueued = [&] {
    announced = running.end;
    if (ready) ready(announced);
  };
  const auto& parameters_free = resources_.parameters_free;
  if (parameters_free) parameters_free(0);
  for (const BackwardStep& step : plan_.backward) {
    Operation& operation = *operations_[step.operation];
    const ProfilerRange range(operation.name());
    running = step;
    operation.backward(pass);
    if (parameters_free) parameters_free(announced);
  }
  ensure(announced == resources_.table->size(), "backward computed every gradient");
}

BatchMetrics CudaProgram::metrics() const {
  use_device(resources_.device);
  return loss_->metrics(rows_);
}

void CudaProgram::read_probabilities(std::span<float> out) const {
  use_device(resources_.device);
  loss_->read_probabilities(rows_, out);
}

void CudaProgram::read_activation(int layer_index, std::span<float> out) const {
  ensure(layer_index >= 0 && static_cast<std::size_t>(layer_index) < resources_.spec->layers.size(),
         "the activation of a layer that exists is read");
  use_device(resources_.device);
  if (every_activation_ == nullptr) {
    ProgramResources alone = resources_;
    // Pictures are made by one rank.
    alone.tuner = &lone_tuner_.emplace(alone.tuner->alone());
    every_activation_.reset(new CudaProgram(alone, options_, EveryActivation{}));
  }
  if (!activations_current_) {
    every_activation_->run_forward(place_);
    activations_current_ = true;
  }
  every_activation_->copy_activation(static_cast<std::size_t>(layer_index), rows_, out);
}

void CudaProgram::copy_activation(std::size_t layer, int rows, std::span<float> out) const {
  const std::optional<std::size_t> operation = plan_.activations[layer];
  const Tensor& tensor = *(operation ? operations_[*operation]->output() : input_);
  const MapShape& shape = tensor.shape;
  const auto wanted = static_cast<std::size_t>(rows) * static_cast<std::size_t>(shape.row_elements());
  ensure(out.size() >= wanted, "an activation fits where it is read to");
  if (wanted == 0) return;
  const DeviceMemory wide(shape.element == Element::float32 ? 0 : wanted * sizeof(float),
                          "reading an activation");
  const void* source = tensor.data;
  if (shape.element != Element::float32) {
    from_narrow(resources_.compute, tensor.data, shape.element, wide.as<float>(), false, wanted);
    source = wide.data();
  }
  std::vector<float> values(wanted);
  check(cudaMemcpyAsync(values.data(), source, wanted * sizeof(float), cudaMemcpyDeviceToHost,
                        resources_.compute),
        "reading an activation");
  check(cudaStreamSynchronize(resources_.compute), "reading an activation");
  if (shape.layout == Layout::channels_first) {
    std::copy(values.begin(), values.end(), out.begin());
    return;
  }
  const auto channels = static_cast<std::size_t>(shape.channels);
  const auto places = static_cast<std::size_t>(shape.height) * static_cast<std::size_t>(shape.width);
  for (std::size_t i = 0; i < wanted; ++i) {
    const std::size_t row = i / (channels * places), place = i / channels % places, channel = i % channels;
    out[(row * channels + channel) * places + place] = values[i];
  }
}

}  // namespace convoy::cuda
