// One operation of a compiled program, and the functions that make each kind of a layer plan. A program runs
// the operations' forward in order and their backward as the plan says.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "engine/cpu/builder.hpp"
#include "engine/layer_plan.hpp"
#include "engine/program.hpp"

namespace convoy::cpu {

// What the operations of a pass need to know.
struct Pass {
  Library* library = nullptr;
  PassContext context;
  std::int64_t first_position = 0;     // of row 0 in the global batch
  int rows = 0;                        // rows that are there
  std::int64_t parameter_version = 0;  // changes when parameters change
  // The running operation's parameter gradients (BackwardStep) have been computed.
  std::function<void()> gradients_computed;
};

class Operation {
 public:
  virtual ~Operation() = default;

  // Output of the forward pass, set by the constructor function.
  Tensor* output() const { return output_; }

  virtual void forward(const Pass& pass) = 0;

  // Announces the backward pass: from the gradient of the output to that of the input, which is returned;
  // nullptr when `input_gradient` is false (nothing before this operation needs one).
  virtual Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) = 0;
  virtual void backward(const Pass& pass) = 0;

 protected:
  Tensor* output_ = nullptr;
};

using OperationPointer = std::unique_ptr<Operation>;

// One overload for each OperationKind; `planned` is what the plan says beside the kind.
OperationPointer make_operation(Builder& builder, const Convolution& layer, const PlannedOperation& planned,
                                Tensor* input);
OperationPointer make_operation(Builder& builder, const FullyConnected& layer,
                                const PlannedOperation& planned, Tensor* input);
OperationPointer make_operation(Builder& builder, const Relu& layer, const PlannedOperation& planned,
                                Tensor* input);
OperationPointer make_operation(Builder& builder, const ReluGradient& layer, const PlannedOperation& planned,
                                Tensor* input);
OperationPointer make_operation(Builder& builder, const LocalResponseNormalisation& layer,
                                const PlannedOperation& planned, Tensor* input);
OperationPointer make_operation(Builder& builder, const MaxPool& layer, const PlannedOperation& planned,
                                Tensor* input);
// Throws ExitCode::bug: the CPU's plans have none.
OperationPointer make_operation(Builder& builder, const FusedPool& layer, const PlannedOperation& planned,
                                Tensor* input);
OperationPointer make_operation(Builder& builder, const AdaptiveAveragePool& layer,
                                const PlannedOperation& planned, Tensor* input);
OperationPointer make_operation(Builder& builder, const Dropout& layer, const PlannedOperation& planned,
                                Tensor* input);

}  // namespace convoy::cpu
