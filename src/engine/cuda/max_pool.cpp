// Max-pooling, with padding that never wins and may differ before and after.
#include "engine/cuda/operation.hpp"

namespace convoy::cuda {

namespace {

constexpr float one = 1, zero = 0;

class MaxPoolOperation final : public Operation {
 public:
  MaxPoolOperation(Builder& builder, const MaxPool& layer, Tensor* input)
      : layer_(layer), handle_(builder.libraries().cudnn()), input_(input), source_(input) {
    int padding = layer.padding.before;
    if (layer.padding.before != layer.padding.after) {
      padding = 0;
      pad_source(builder);
    }
    source_description_ = describe(source_->shape);
    cudnnPoolingDescriptor_t descriptor = nullptr;
    check(cudnnCreatePoolingDescriptor(&descriptor), "a pooling descriptor");
    pooling_.reset(descriptor);
    // Deterministic: the gradient goes to one of equal maxima, always the same. A NaN stays one: a network
    // that broke must show.
    check(
        cudnnSetPooling2dDescriptor(descriptor, CUDNN_POOLING_MAX_DETERMINISTIC, CUDNN_PROPAGATE_NAN,
                                    layer.window, layer.window, padding, padding, layer.stride, layer.stride),
        "max-pooling");
    const auto out_side = [&](int side) { return (side + 2 * padding - layer.window) / layer.stride + 1; };
    const MapShape& shape = source_->shape;
    output_ = builder.tensor(builder.map(shape.channels, out_side(shape.height), out_side(shape.width)));
    output_description_ = describe(output_->shape);
    builder.use(source_);
    builder.tick();
  }

  std::string name() const override { return "pool"; }

  void forward(const Pass& pass) override {
    if (source_ != input_) {
      pad(pass.stream, input_->data, input_->shape, layer_.padding.before, layer_.padding.after, Fill::lowest,
          source_->data);
    }
    check(cudnnPoolingForward(handle_, pooling_.get(), &one, source_description_.get(), source_->data, &zero,
                              output_description_.get(), output_->data),
          "max-pooling");
  }

  Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) override {
    if (!input_gradient) return nullptr;
    output_gradient_ = output_gradient;
    source_gradient_ = input_gradient_ = builder.tensor(source_->shape);
    for (Tensor* tensor : {source_, output_, output_gradient}) builder.use(tensor);
    builder.tick();
    if (source_ == input_) return input_gradient_;
    builder.use(source_gradient_);
    input_gradient_ = builder.tensor(input_->shape);
    builder.tick();
    return input_gradient_;
  }

  void backward(const Pass& pass) override {
    if (input_gradient_ == nullptr) return;
    check(cudnnPoolingBackward(handle_, pooling_.get(), &one, output_description_.get(), output_->data,
                               output_description_.get(), output_gradient_->data, source_description_.get(),
                               source_->data, &zero, source_description_.get(), source_gradient_->data),
          "the gradient of max-pooling");
    if (source_ != input_) {
      unpad(pass.stream, source_gradient_->data, input_->shape, layer_.padding.before, layer_.padding.after,
            input_gradient_->data);
    }
  }

 private:
  // The library pads alike on all sides; other padding is made by a kernel.
  void pad_source(Builder& builder) {
    const int more = layer_.padding.before + layer_.padding.after;
    const MapShape& shape = input_->shape;
    source_ = builder.tensor(builder.map(shape.channels, shape.height + more, shape.width + more));
    builder.use(input_);
    builder.tick();
  }

  MaxPool layer_;
  cudnnHandle_t handle_;
  Tensor *input_, *source_;  // source_: padded where the library could not
  TensorDescriptor source_description_, output_description_;
  PoolingDescriptor pooling_;
  Tensor *output_gradient_ = nullptr, *source_gradient_ = nullptr, *input_gradient_ = nullptr;
};

}  // namespace

OperationPointer make_max_pool(Builder& builder, const MaxPool& layer, Tensor* input) {
  return std::make_unique<MaxPoolOperation>(builder, layer, input);
}

}  // namespace convoy::cuda
