// What both engines know of a network before they compile it: its operations in order (a ReLU or a pool may
// be part of an operation), their shapes, where the gradient of a fused ReLU is taken, and the order of
// backward with the gradients that are final after each of its operations. A pure function of the network,
// without a device; cpu/cpu_program.cpp and cuda/cuda_program.cpp execute its result.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "model/net_spec.hpp"
#include "model/parameter_table.hpp"

namespace convoy {

// Normalisation (where the network has it) and max-pooling, directly behind a convolution with a fused ReLU,
// in one pass each way; backward makes the gradients of that ReLU and of the convolution's bias too.
struct FusedPool {
  std::optional<LocalResponseNormalisation> normalisation;
  MaxPool pool;
  std::string convolution;
};

// Forward nothing; backward sets the gradient to zero where the input is not positive: the gradient of a ReLU
// that was fused into an earlier operation.
struct ReluGradient {};

template <typename Variant, typename... More>
struct ExtendedVariant;
template <typename... Kinds, typename... More>
struct ExtendedVariant<std::variant<Kinds...>, More...> {
  using Type = std::variant<Kinds..., More...>;
};

// Every kind of layer, and operations that replace several layers or a part of one.
using OperationKind = ExtendedVariant<Layer, FusedPool, ReluGradient>::Type;

struct PlannedOperation {
  OperationKind kind;
  Shape input = {}, output = {};

  // Convolutions and fully connected layers.
  bool relu = false;                 // computes the ReLU behind it
  bool takes_relu_gradient = false;  // and in backward that ReLU's gradient
  double gradient_factor = 1;  // multiplied by this: that of the dropout behind it, which left its zeros
  bool leaves_bias_gradient = false;  // to the FusedPool behind it; convolutions only
  bool input_padded = false;          // its input already carries its padding; convolutions only
  int input_patch = 1;                // its input comes in patches of this side; convolutions only
  bool scores = false;                // the network's last layer; fully connected: float32 in every precision

  int dropout = -1;  // number of a dropout layer in the network, for the random counter
  bool leaves_gradient =
      false;  // to the operation before (gradient_factor); dropout only, which works in place
};

// "conv1", or its kind for one without a name: "max-pool".
std::string operation_name(const OperationKind& kind);

// One operation of the backward pass.
struct BackwardStep {
  std::size_t operation = 0;   // index into LayerPlan::operations
  bool input_gradient = true;  // whether an operation before it needs the gradient of its input
  // The elements of the flat gradient that it completes, the gap behind them included; none where the
  // operation has no parameters. Those of a pass follow each other and cover the buffer.
  std::size_t begin = 0, end = 0;
};

struct LayerPlan {
  // How the network's input is written: with padding around it, and in patches whose pixels are channels of
  // one (PlanOptions::pads_input, patches_input); `input` is its shape then.
  Padding input_padding;
  int input_patch = 1;
  Shape input = {};
  // In the order of forward; each takes the output of the one before, the first the network's input.
  std::vector<PlannedOperation> operations;
  // In the order of backward; none in evaluation, nor where every activation is kept.
  std::vector<BackwardStep> backward;
  // For each layer the operation whose output is its activation, in a plan of every activation; none: the
  // network's input.
  std::vector<std::optional<std::size_t>> activations;
};

struct PlanOptions {
  bool training = true;           // dropout is the identity otherwise
  bool every_activation = false;  // nothing is fused, so that each layer's output can be read; no backward

  // What an engine's operations can do beside their layer:
  bool own_relu_gradient = false;  // take a fused ReLU's gradient, where nothing came in between
  // Behind a fully connected layer with a fused ReLU: multiply that ReLU's gradient by 1 / (1 − p), where the
  // dropout left something of its output. The ReLU's gradient is then 0 where dropout's is.
  bool folds_dropout = false;
  bool pads_input = false;     // write the input with the first convolution's padding, where that is uneven
  bool patches_input = false;  // and in patches, where that serves it better (engine/input_patches.hpp)
  std::function<bool(const FusedPool&, const Shape& input)> serves_fused_pool = {};  // empty: none
};

// `table`: that of `spec`. Throws ExitCode::usage for layers that do not fit, as infer_shapes does.
LayerPlan plan_layers(const NetSpec& spec, const ParameterTable& table, const PlanOptions& options);

}  // namespace convoy
