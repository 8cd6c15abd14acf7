// Local response normalisation across channels: cuDNN's for channels first, our own kernel for channels last,
// which cuDNN does not document.
#include "engine/cuda/operation.hpp"

namespace convoy::cuda {

namespace {

constexpr float one = 1, zero = 0;

class ChannelsFirst final : public Operation {
 public:
  ChannelsFirst(Builder& builder, const LocalResponseNormalisation& layer, Tensor* input)
      : handle_(builder.libraries().cudnn()), input_(input), description_(describe(input->shape)) {
    cudnnLRNDescriptor_t descriptor = nullptr;
    check(cudnnCreateLRNDescriptor(&descriptor), "a normalisation descriptor");
    normalisation_.reset(descriptor);
    check(cudnnSetLRNDescriptor(descriptor, static_cast<unsigned>(layer.size), double{layer.alpha},
                                double{layer.beta}, double{layer.k}),
          "local response normalisation");
    output_ = builder.tensor(input->shape);  // backward needs it as it is
    builder.use(input);
    builder.tick();
  }

  std::string name() const override { return "normalisation"; }

  void forward(const Pass&) override {
    check(cudnnLRNCrossChannelForward(handle_, normalisation_.get(), CUDNN_LRN_CROSS_CHANNEL_DIM1, &one,
                                      description_.get(), input_->data, &zero, description_.get(),
                                      output_->data),
          "local response normalisation");
  }

  Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) override {
    if (!input_gradient) return nullptr;
    output_gradient_ = output_gradient;
    input_gradient_ = builder.tensor(input_->shape);
    for (Tensor* tensor : {input_, output_, output_gradient}) builder.use(tensor);
    builder.tick();
    return input_gradient_;
  }

  void backward(const Pass&) override {
    if (input_gradient_ == nullptr) return;
    check(cudnnLRNCrossChannelBackward(handle_, normalisation_.get(), CUDNN_LRN_CROSS_CHANNEL_DIM1, &one,
                                       description_.get(), output_->data, description_.get(),
                                       output_gradient_->data, description_.get(), input_->data, &zero,
                                       description_.get(), input_gradient_->data),
          "the gradient of local response normalisation");
  }

 private:
  cudnnHandle_t handle_;
  Tensor* input_;
  TensorDescriptor description_;
  LrnDescriptor normalisation_;
  Tensor *output_gradient_ = nullptr, *input_gradient_ = nullptr;
};

class ChannelsLast final : public Operation {
 public:
  ChannelsLast(Builder& builder, const LocalResponseNormalisation& layer, Tensor* input)
      : constants_{.size = layer.size, .k = layer.k, .alpha = layer.alpha, .beta = layer.beta},
        input_(input) {
    output_ = builder.tensor(input->shape);
    output_->overwritable = true;
    builder.use(input);
    builder.tick();
  }

  std::string name() const override { return "normalisation"; }

  void forward(const Pass& pass) override {
    normalisation_forward(pass.stream, input_->data, output_->data, input_->shape, constants_);
  }

  Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) override {
    if (!input_gradient) return nullptr;
    output_gradient_ = output_gradient;
    input_gradient_ = builder.tensor(input_->shape);
    builder.use(input_);
    builder.use(output_gradient);
    builder.tick();
    return input_gradient_;
  }

  void backward(const Pass& pass) override {
    if (input_gradient_ == nullptr) return;
    normalisation_backward(pass.stream, input_->data, output_gradient_->data, input_gradient_->data,
                           input_->shape, constants_);
  }

 private:
  NormalisationConstants constants_;
  Tensor* input_;
  Tensor *output_gradient_ = nullptr, *input_gradient_ = nullptr;
};

}  // namespace

OperationPointer make_operation(Builder& builder, const LocalResponseNormalisation& layer,
                                const PlannedOperation&, Tensor* input) {
  if (input->shape.layout == Layout::channels_last) {
    return std::make_unique<ChannelsLast>(builder, layer, input);
  }
  return std::make_unique<ChannelsFirst>(builder, layer, input);
}

}  // namespace convoy::cuda
