// ReLU that stands alone, and the gradient of one that was fused.
#include "engine/cuda/operation.hpp"

namespace convoy::cuda {

namespace {

class ReluOperation final : public Operation {
 public:
  ReluOperation(Builder& builder, Tensor* input) : input_(input) {
    output_ = builder.tensor(input->shape);
    output_->overwritable = true;
    builder.use(input);
    builder.tick();
  }

  std::string name() const override { return "relu"; }
  void forward(const Pass& pass) override { relu(pass.stream, input_->data, output_->data, output_->shape); }

  Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) override {
    if (!input_gradient) return nullptr;
    gradient_ = output_gradient;
    builder.use(gradient_);
    builder.use(output_);
    builder.tick();
    return gradient_;
  }

  void backward(const Pass& pass) override {
    if (gradient_ != nullptr) relu_backward(pass.stream, gradient_->data, output_->data, output_->shape);
  }

 private:
  Tensor* input_;
  Tensor* gradient_ = nullptr;
};

class ReluMask final : public Operation {
 public:
  explicit ReluMask(Tensor* input) { output_ = input; }

  std::string name() const override { return "relu"; }
  void forward(const Pass&) override {}

  Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) override {
    if (!input_gradient) return nullptr;
    gradient_ = output_gradient;
    builder.use(gradient_);
    builder.use(output_);
    builder.tick();
    return gradient_;
  }

  void backward(const Pass& pass) override {
    if (gradient_ != nullptr) relu_backward(pass.stream, gradient_->data, output_->data, output_->shape);
  }

 private:
  Tensor* gradient_ = nullptr;
};

}  // namespace

OperationPointer make_relu(Builder& builder, Tensor* input) {
  return std::make_unique<ReluOperation>(builder, input);
}

OperationPointer make_relu_mask(Tensor* input) {
  return std::make_unique<ReluMask>(input);
}

}  // namespace convoy::cuda
