// A ReLU of its own, and the gradient of one that was fused.
#include "engine/cuda/operation.hpp"

namespace convoy::cuda {

namespace {

class ReluGradientOperation : public Operation {
 public:
  explicit ReluGradientOperation(Tensor* output) { output_ = output; }

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

class ReluOperation final : public ReluGradientOperation {
 public:
  ReluOperation(Builder& builder, Tensor* input)
      : ReluGradientOperation(builder.tensor(input->shape)), input_(input) {
    output_->overwritable = true;
    builder.use(input);
    builder.tick();
  }

  void forward(const Pass& pass) override { relu(pass.stream, input_->data, output_->data, output_->shape); }

 private:
  Tensor* input_;
};

}  // namespace

OperationPointer make_operation(Builder& builder, const Relu&, const PlannedOperation&, Tensor* input) {
  return std::make_unique<ReluOperation>(builder, input);
}

OperationPointer make_operation(Builder&, const ReluGradient&, const PlannedOperation&, Tensor* input) {
  return std::make_unique<ReluGradientOperation>(input);
}

}  // namespace convoy::cuda
