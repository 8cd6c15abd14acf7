// Max-pooling, with padding that never wins and may differ before and after.
#include "engine/cuda/operation.hpp"
#include "engine/cuda/padded_source.hpp"

namespace convoy::cuda {

namespace {

constexpr float one = 1, zero = 0;

class MaxPoolOperation final : public Operation {
 public:
  MaxPoolOperation(Builder& builder, const MaxPool& layer, const PlannedOperation& planned, Tensor* input)
      : handle_(builder.libraries().cudnn()),
        source_(builder, input, layer.padding, Fill::lowest),
        source_description_(describe(source_.tensor()->shape)) {
    cudnnPoolingDescriptor_t descriptor = nullptr;
    check(cudnnCreatePoolingDescriptor(&descriptor), "a pooling descriptor");
    pooling_.reset(descriptor);
    // Deterministic: the gradient goes to one of equal maxima, always the same. A NaN stays one: a network
    // that broke must show.
    const int padding = source_.library_padding();
    check(
        cudnnSetPooling2dDescriptor(descriptor, CUDNN_POOLING_MAX_DETERMINISTIC, CUDNN_PROPAGATE_NAN,
                                    layer.window, layer.window, padding, padding, layer.stride, layer.stride),
        "max-pooling");
    output_ = builder.tensor(builder.map(planned.output));
    output_description_ = describe(output_->shape);
    builder.use(source_.tensor());
    builder.tick();
  }

  std::string name() const override { return "pool"; }

  void forward(const Pass& pass) override {
    source_.forward(pass.stream);
    check(cudnnPoolingForward(handle_, pooling_.get(), &one, source_description_.get(),
                              source_.tensor()->data, &zero, output_description_.get(), output_->data),
          "max-pooling");
  }

  Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) override {
    if (!input_gradient) return nullptr;
    output_gradient_ = output_gradient;
    for (Tensor* tensor : {source_.tensor(), output_, output_gradient}) builder.use(tensor);
    return source_.prepare_backward(builder);
  }

  void backward(const Pass& pass) override {
    if (source_.gradient() == nullptr) return;
    check(cudnnPoolingBackward(handle_, pooling_.get(), &one, output_description_.get(), output_->data,
                               output_description_.get(), output_gradient_->data, source_description_.get(),
                               source_.tensor()->data, &zero, source_description_.get(),
                               source_.gradient()->data),
          "the gradient of max-pooling");
    source_.backward(pass.stream);
  }

 private:
  cudnnHandle_t handle_;
  PaddedSource source_;
  TensorDescriptor source_description_, output_description_;
  PoolingDescriptor pooling_;
  Tensor* output_gradient_ = nullptr;
};

}  // namespace

OperationPointer make_operation(Builder& builder, const MaxPool& layer, const PlannedOperation& planned,
                                Tensor* input) {
  return std::make_unique<MaxPoolOperation>(builder, layer, planned, input);
}

}  // namespace convoy::cuda
