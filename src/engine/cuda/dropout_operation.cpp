// Dropout of a training program, in place where no backward pass needs the activation as it was. Behind a
// fully connected layer with a ReLU, that layer's gradient of the ReLU contains dropout's: the activation
// that it looks at is 0 where a unit was dropped, and what is kept is multiplied by the same factor.
#include "base/error.hpp"
#include "device/cuda/check.hpp"
#include "engine/cuda/operation.hpp"

namespace convoy::cuda {

namespace {

class DropoutOperation final : public Operation {
 public:
  DropoutOperation(Builder& builder, const Dropout& layer, const PlannedOperation& planned, Tensor* input)
      : number_(static_cast<std::uint32_t>(planned.dropout)),
        p_(layer.p),
        leaves_gradient_(planned.leaves_gradient),
        input_(input) {
    output_ = input->overwritable && !builder.keeps_all() ? input : builder.tensor(input->shape);
    ensure(!leaves_gradient_ || output_ == input, "a dropout that leaves its gradient works in place");
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
    if (leaves_gradient_) return output_gradient;
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
  bool leaves_gradient_;
  Tensor* input_;
  Tensor* gradient_ = nullptr;
};

}  // namespace

OperationPointer make_operation(Builder& builder, const Dropout& layer, const PlannedOperation& planned,
                                Tensor* input) {
  return std::make_unique<DropoutOperation>(builder, layer, planned, input);
}

}  // namespace convoy::cuda
