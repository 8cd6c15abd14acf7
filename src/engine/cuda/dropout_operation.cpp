// Dropout of a training program, in place where no backward pass needs the activation as it was.
#include "device/cuda/check.hpp"
#include "engine/cuda/operation.hpp"

namespace convoy::cuda {

namespace {

class DropoutOperation final : public Operation {
 public:
  DropoutOperation(Builder& builder, const Dropout& layer, int number, Tensor* input)
      : number_(static_cast<std::uint32_t>(number)), p_(layer.p), input_(input) {
    output_ = input->overwritable && !builder.keeps_all() ? input : builder.tensor(input->shape);
    builder.use(input);
    builder.use(output_);
    builder.tick();
  }

  std::string name() const override { return "dropout"; }

  void forward(const Pass& pass) override {
    if (output_ != input_) {
      check(
          cudaMemcpyAsync(output_->data, input_->data, input_->bytes, cudaMemcpyDeviceToDevice, pass.stream),
          "a copy of an activation");
    }
    dropout(pass.stream, output_->data, output_->shape, pass.place.pass, number_, p_);
  }

  Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) override {
    if (!input_gradient) return nullptr;
    gradient_ = output_gradient;
    builder.use(gradient_);
    builder.tick();
    return gradient_;
  }

  void backward(const Pass& pass) override {
    if (gradient_ == nullptr) return;
    dropout(pass.stream, gradient_->data, gradient_->shape, pass.place.pass, number_, p_);
  }

 private:
  std::uint32_t number_;
  double p_;
  Tensor* input_;
  Tensor* gradient_ = nullptr;
};

}  // namespace

OperationPointer make_operation(Builder& builder, const Dropout& layer, const PlannedOperation& planned,
                                Tensor* input) {
  return std::make_unique<DropoutOperation>(builder, layer, planned.dropout, input);
}

}  // namespace convoy::cuda
