// One operation of a compiled program, and the functions that make each kind from a layer of NetSpec. A
// program runs the operations' forward in order and their backward in reverse order.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "engine/cpu/builder.hpp"
#include "engine/replica.hpp"
#include "model/net_spec.hpp"

namespace convoy::cpu {

// What a running pass tells its operations.
struct Pass {
  Library* library = nullptr;
  PassContext context;
  std::int64_t first_position = 0;     // of row 0 in the global batch
  int rows = 0;                        // rows that are there
  std::int64_t parameter_version = 0;  // changes when parameters change
  // Elements [begin, end) of the flat gradient buffer have been computed.
  std::function<void(std::size_t begin, std::size_t end)> gradients_computed;
};

class Operation {
 public:
  virtual ~Operation() = default;

  // Output of the forward pass, set by the constructor function.
  Tensor* output() const { return output_; }

  virtual bool has_parameters() const { return false; }

  virtual void forward(const Pass& pass) = 0;

  // Announces the backward pass: from the gradient of the output to that of the input, which is returned;
  // nullptr when `input_gradient` is false (nothing before this operation needs one).
  virtual Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) = 0;
  virtual void backward(const Pass& pass) = 0;

 protected:
  Tensor* output_ = nullptr;
};

using OperationPointer = std::unique_ptr<Operation>;

// `relu`: the activation is fused; its gradient is then the caller's affair (see make_relu_mask).
OperationPointer make_convolution(Builder& builder, const Convolution& layer, Tensor* input, bool relu);
// `scores`: the network's last layer, whose output is float32 in every precision.
OperationPointer make_fully_connected(Builder& builder, const FullyConnected& layer, Tensor* input, bool relu,
                                      bool scores);
OperationPointer make_relu(Builder& builder, Tensor* input);
// Forward nothing; backward sets the gradient to zero where `input` is not positive: the gradient of a ReLU
// that was fused into an earlier operation.
OperationPointer make_relu_mask(Tensor* input);
OperationPointer make_normalisation(Builder& builder, const LocalResponseNormalisation& layer, Tensor* input);
OperationPointer make_max_pool(Builder& builder, const MaxPool& layer, Tensor* input);
OperationPointer make_adaptive_average_pool(Builder& builder, const AdaptiveAveragePool& layer,
                                            Tensor* input);
// `number`: of the dropout layer in the network. Training programs only.
OperationPointer make_dropout(Builder& builder, const Dropout& layer, int number, Tensor* input);

}  // namespace convoy::cpu
