#include "engine/cuda/cuda_program.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "base/error.hpp"
#include "device/cuda/check.hpp"
#include "engine/cuda/profiler_range.hpp"

namespace convoy::cuda {

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
  tensors_ = builder.take_tensors();
  convolutions_ = builder.take_convolutions();
  upload_mean();
}

void CudaProgram::build(Builder& builder) {
  const std::vector<Layer>& layers = resources_.spec->layers;
  Tensor* current = add_input(builder);
  for (std::size_t index = 0; index < layers.size();) index += add_layers(builder, index, current);
  settle_relu(current);
  loss_.emplace(builder, resources_, current);
}

Tensor* CudaProgram::add_input(Builder& builder) {
  const Shape& shape = resources_.spec->input;
  const InputSpec& input = *resources_.input;
  if (shape.channels != 3 || input.crop_side != shape.height || input.crop_side != shape.width) {
    fail(ExitCode::usage, "the network takes {}×{}×{} inputs, but crops of 3×{}×{} were asked for",
         shape.channels, shape.height, shape.width, input.crop_side, input.crop_side);
  }
  const auto side = static_cast<std::size_t>(input.stored_side);
  ensure(input.mean.size() == 3 || input.mean.size() == 3 * side * side,
         "a mean has 3 values or is an image");
  mean_ = builder.lasting(input.mean.size() * sizeof(float));
  // A first convolution's uneven padding is written along with the input.
  const auto* first = std::get_if<Convolution>(&resources_.spec->layers.front());
  if (first != nullptr && first->padding.before != first->padding.after) {
    input_before_ = first->padding.before;
    input_after_ = first->padding.after;
  }
  const int more = input_before_ + input_after_;
  input_ = builder.tensor(builder.map(3, shape.height + more, shape.width + more));
  input_->overwritable = true;
  builder.tick();
  return input_;
}

void CudaProgram::upload_mean() {
  check(cudaMemcpyAsync(mean_->data, resources_.input->mean.data(), mean_->bytes, cudaMemcpyHostToDevice,
                        resources_.compute),
        "the mean of the images");
  check(cudaStreamSynchronize(resources_.compute), "the mean of the images");
}

std::size_t CudaProgram::add_layers(Builder& builder, std::size_t index, Tensor*& current) {
  const std::vector<Layer>& layers = resources_.spec->layers;
  std::size_t served = 0;
  if (add_fused_pool(builder, index, current, served)) return served;
  if (!keeps_positive(layers[index])) settle_relu(current);
  const bool relu = !keeps_all_ && has_parameters(layers[index]) && index + 1 < layers.size() &&
                    std::holds_alternative<Relu>(layers[index + 1]);
  served = relu ? 2 : 1;
  OperationPointer operation = make_operation(builder, index, current, relu);
  if (operation != nullptr) {
    current = operation->output();
    if (relu) relu_owner_ = operation.get();
    operations_.push_back(std::move(operation));
  }
  activations_.insert(activations_.end(), served, current);
  return served;
}

// Normalisation and pool, or the pool alone, right behind a convolution whose ReLU was fused.
bool CudaProgram::add_fused_pool(Builder& builder, std::size_t index, Tensor*& current, std::size_t& served) {
  const std::vector<Layer>& layers = resources_.spec->layers;
  if (!resources_.fused_pool || relu_owner_ == nullptr || relu_owner_->output() != current) return false;
  const auto* convolution = std::get_if<Convolution>(&layers[index - 2]);
  if (convolution == nullptr) return false;
  const auto* normalisation = std::get_if<LocalResponseNormalisation>(&layers[index]);
  const std::size_t pool_index = normalisation != nullptr ? index + 1 : index;
  if (pool_index >= layers.size()) return false;
  const auto* pool = std::get_if<MaxPool>(&layers[pool_index]);
  if (pool == nullptr) return false;
  OperationPointer operation = make_fused_pool(builder, normalisation, *pool, current,
                                               builder.parameter(convolution->name, ParameterKind::bias));
  if (operation == nullptr) return false;
  relu_owner_->leave_bias_gradient();
  relu_owner_ = nullptr;
  current = operation->output();
  operations_.push_back(std::move(operation));
  served = pool_index - index + 1;
  activations_.insert(activations_.end(), served, current);
  return true;
}

// Places the gradient of a fused ReLU behind `current`: in its own operation's backward where nothing came
// in between.
void CudaProgram::settle_relu(Tensor* current) {
  Operation* owner = std::exchange(relu_owner_, nullptr);
  if (owner == nullptr) return;
  if (owner->output() == current) {
    owner->take_relu_gradient();
  } else {
    operations_.push_back(make_relu_mask(current));
  }
}

OperationPointer CudaProgram::make_operation(Builder& builder, std::size_t index, Tensor* input, bool relu) {
  const bool last = index + 1 == resources_.spec->layers.size();
  return std::visit(
      [&](const auto& layer) -> OperationPointer {
        using Kind = std::decay_t<decltype(layer)>;
        if constexpr (std::is_same_v<Kind, Convolution>) {
          const bool padded = input == input_ && input_before_ + input_after_ > 0;
          return make_convolution(builder, layer, input, relu, padded);
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
      resources_.spec->layers[index]);
}

void CudaProgram::build_backward(Builder& builder) {
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
    input_stage(pass.stream, place.images, place.transforms, constants, place.pass, input_->data,
                input_->shape, input_before_, input_after_);
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
  std::size_t announced = 0;
  Pass pass{.stream = resources_.compute, .place = place_, .add = add, .gradients_enqueued = {}};
  pass.gradients_enqueued = [&](std::size_t end) {
    // The gap behind a tensor is final too: it is always zero.
    const std::size_t aligned = (end + parameter_alignment - 1) / parameter_alignment * parameter_alignment;
    announced = std::min(aligned, resources_.table->size());
    if (ready) ready(announced);
  };
  {
    const ProfilerRange range("loss");
    loss_->backward(pass);
  }
  for (std::size_t index = operations_.size(); index-- > first_with_parameters_;) {
    const ProfilerRange range(operations_[index]->name());
    operations_[index]->backward(pass);
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
    alone.agree = {};  // pictures are made by one rank
    every_activation_.reset(new CudaProgram(alone, options_, EveryActivation{}));
  }
  if (!activations_current_) {
    every_activation_->run_forward(place_);
    activations_current_ = true;
  }
  every_activation_->copy_activation(static_cast<std::size_t>(layer_index), rows_, out);
}

void CudaProgram::copy_activation(std::size_t layer, int rows, std::span<float> out) const {
  const Tensor& tensor = *activations_[layer];
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
