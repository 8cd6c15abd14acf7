// Adaptive average pooling by our own kernels.
#include "engine/cuda/operation.hpp"

namespace convoy::cuda {

namespace {

class AdaptiveAveragePoolOperation final : public Operation {
 public:
  AdaptiveAveragePoolOperation(Builder& builder, const AdaptiveAveragePool& layer,
                               const PlannedOperation& planned, Tensor* input)
      : side_(layer.output), input_(input) {
    output_ = builder.tensor(builder.map(planned.output));
    output_->overwritable = true;
    builder.use(input);
    builder.tick();
  }

  std::string name() const override { return "adaptive pool"; }

  void forward(const Pass& pass) override {
    adaptive_pool_forward(pass.stream, input_->data, input_->shape, output_->data, side_);
  }

  Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) override {
    if (!input_gradient) return nullptr;
    output_gradient_ = output_gradient;
    input_gradient_ = builder.tensor(input_->shape);
    builder.use(output_gradient);
    builder.tick();
    return input_gradient_;
  }

  void backward(const Pass& pass) override {
    if (input_gradient_ == nullptr) return;
    adaptive_pool_backward(pass.stream, output_gradient_->data, input_->shape, input_gradient_->data, side_);
  }

 private:
  int side_;
  Tensor* input_;
  Tensor *output_gradient_ = nullptr, *input_gradient_ = nullptr;
};

}  // namespace

OperationPointer make_operation(Builder& builder, const AdaptiveAveragePool& layer,
                                const PlannedOperation& planned, Tensor* input) {
  return std::make_unique<AdaptiveAveragePoolOperation>(builder, layer, planned, input);
}

}  // namespace convoy::cuda
