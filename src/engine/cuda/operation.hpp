// One operation of a program compiled for a GPU, and the functions that make each kind of a layer plan. A
// program enqueues the operations' forward in order and their backward as the plan says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/cuda/cuda_builder.hpp"
#include "engine/layer_plan.hpp"

namespace convoy::cuda {

// The addresses of a staged batch in device memory.
struct BatchPlace {
  const std::uint8_t* images = nullptr;
  const std::int32_t* labels = nullptr;
  const SampleTransform* transforms = nullptr;
  const PassParameters* pass = nullptr;
};

// What the operations of a pass need to know.
struct Pass {
  cudaStream_t stream = nullptr;
  BatchPlace place;
  bool add = false;  // gradients are added to what is there
  // The work enqueued so far computes the running operation's parameter gradients (BackwardStep).
  std::function<void()> gradients_enqueued;
};

class Operation {
 public:
  virtual ~Operation() = default;

  // For profilers: "conv1", "pool".
  virtual std::string name() const = 0;

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
// The first convolution over an input in patches (PlannedOperation::input_patch).
OperationPointer make_patch_convolution(Builder& builder, const Convolution& layer,
                                        const PlannedOperation& planned, Tensor* input);
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
OperationPointer make_operation(Builder& builder, const FusedPool& layer, const PlannedOperation& planned,
                                Tensor* input);
OperationPointer make_operation(Builder& builder, const AdaptiveAveragePool& layer,
                                const PlannedOperation& planned, Tensor* input);
OperationPointer make_operation(Builder& builder, const Dropout& layer, const PlannedOperation& planned,
                                Tensor* input);

// Whether the fused kernels serve these layers behind a convolution with output `map`.
bool serves_fused_pool(const FusedPool& layer, const MapShape& map);

}  // namespace convoy::cuda
