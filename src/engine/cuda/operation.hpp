// One operation of a program compiled for a GPU, and the functions that make each kind from a layer of
// NetSpec. A program enqueues the operations' forward in order and their backward in reverse order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/cuda/cuda_builder.hpp"
#include "model/net_spec.hpp"

namespace convoy::cuda {

// Where a staged batch stands in device memory.
struct BatchPlace {
  const std::uint8_t* images = nullptr;
  const std::int32_t* labels = nullptr;
  const SampleTransform* transforms = nullptr;
  const PassParameters* pass = nullptr;
};

// What a pass tells its operations.
struct Pass {
  cudaStream_t stream = nullptr;
  BatchPlace place;
  bool add = false;  // gradients are added to what is there
  // The work enqueued so far computes elements up to `end` of the flat gradient buffer.
  std::function<void(std::size_t end)> gradients_enqueued;
};

class Operation {
 public:
  virtual ~Operation() = default;

  // For profilers: "conv1", "pool".
  virtual std::string name() const = 0;

  // Output of the forward pass, set by the constructor function.
  Tensor* output() const { return output_; }

  virtual bool has_parameters() const { return false; }

  virtual void forward(const Pass& pass) = 0;

  // Announces the backward pass: from the gradient of the output to that of the input, which is returned;
  // nullptr when `input_gradient` is false (nothing before this operation needs one).
  virtual Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) = 0;
  virtual void backward(const Pass& pass) = 0;

  // Only where has_parameters(), before prepare_backward(): the gradient of the fused ReLU is to be taken
  // here, in the pass that sums the bias gradient, not by a make_relu_mask() behind.
  void take_relu_gradient() { takes_relu_gradient_ = true; }

  // Only where has_parameters(), before prepare_backward(): the operation behind makes the bias gradient, and
  // the ReLU's with it (see make_fused_pool).
  void leave_bias_gradient() { leaves_bias_gradient_ = true; }

 protected:
  Tensor* output_ = nullptr;
  bool takes_relu_gradient_ = false;
  bool leaves_bias_gradient_ = false;
};

using OperationPointer = std::unique_ptr<Operation>;

// `relu`: the activation is fused; its gradient is then the caller's affair (see take_relu_gradient).
// `input_padded`: the input already carries the layer's padding.
OperationPointer make_convolution(Builder& builder, const Convolution& layer, Tensor* input, bool relu,
                                  bool input_padded);
// `scores`: the network's last layer, whose output is float32 in every precision.
OperationPointer make_fully_connected(Builder& builder, const FullyConnected& layer, Tensor* input, bool relu,
                                      bool scores);
OperationPointer make_relu(Builder& builder, Tensor* input);
// Forward nothing; backward sets the gradient to zero where `input` is not positive: the gradient of a ReLU
// that was fused into an earlier operation.
OperationPointer make_relu_mask(Tensor* input);
OperationPointer make_normalisation(Builder& builder, const LocalResponseNormalisation& layer, Tensor* input);
OperationPointer make_max_pool(Builder& builder, const MaxPool& layer, Tensor* input);
// Normalisation (where not null) and max-pooling behind a convolution with a fused ReLU, in one pass each
// way; backward makes the gradients of that ReLU and of the convolution's `bias` too. Null where the kernels
// do not serve the shape.
OperationPointer make_fused_pool(Builder& builder, const LocalResponseNormalisation* normalisation,
                                 const MaxPool& pool, Tensor* input, const ParameterView& bias);
// Null where it is the identity.
OperationPointer make_adaptive_average_pool(Builder& builder, const AdaptiveAveragePool& layer,
                                            Tensor* input);
// `number`: of the dropout layer in the network. Training programs only.
OperationPointer make_dropout(Builder& builder, const Dropout& layer, int number, Tensor* input);

}  // namespace convoy::cuda
