// The gradient of a layer's bias, and of its fused ReLU in the same pass. Used by convolution.cpp and
// fully_connected.cpp.
#pragma once

#include "engine/cuda/operation.hpp"

namespace convoy::cuda {

class BiasGradient {
 public:
  // Announces the pass over `output_gradient`, which the ReLU's gradient is written into. `relu_output`: the
  // layer's output where that is to be taken, otherwise null; `factor` of that gradient.
  void prepare(Builder& builder, Tensor* output_gradient, Tensor* relu_output, float factor = 1) {
    gradient_ = output_gradient;
    relu_output_ = relu_output;
    factor_ = factor;
    scratch_ = builder.scratch(bias_scratch_bytes(gradient_->shape));
    builder.use(gradient_);
    if (relu_output_ != nullptr) builder.use(relu_output_);
    builder.tick();
  }

  void run(const Pass& pass, float* bias_gradient) const {
    relu_backward_bias(pass.stream, gradient_->data, relu_output_ == nullptr ? nullptr : relu_output_->data,
                       gradient_->shape, bias_gradient, pass.add, scratch_->data, factor_);
  }

 private:
  Tensor *gradient_ = nullptr, *relu_output_ = nullptr, *scratch_ = nullptr;
  float factor_ = 1;
};

}  // namespace convoy::cuda
