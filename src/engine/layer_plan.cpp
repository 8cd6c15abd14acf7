#include "engine/layer_plan.hpp"

#include <utility>

#include "base/error.hpp"
#include "engine/input_patches.hpp"

namespace convoy {

namespace {

// Layers that may compute the ReLU behind them.
bool fuses_relu(const Layer& layer) {
  return std::holds_alternative<Convolution>(layer) || std::holds_alternative<FullyConnected>(layer);
}

// Layers whose output is positive exactly where their input's winner is: the gradient of a ReLU before them
// may be taken behind them, on the smaller map (a gradient that reaches a place holding 0 is dropped either
// way).
bool keeps_positive(const Layer& layer) {
  return std::holds_alternative<LocalResponseNormalisation>(layer) || std::holds_alternative<MaxPool>(layer);
}

bool is_identity(const Layer& layer, const Shape& input, const Shape& output, bool training) {
  if (const auto* dropout = std::get_if<Dropout>(&layer)) return !training || dropout->p == 0;
  return std::holds_alternative<AdaptiveAveragePool>(layer) && input == output;
}

class Planner {
 public:
  Planner(const NetSpec& spec, const PlanOptions& options)
      : spec_(spec), options_(options), shapes_(infer_shapes(spec)) {}

  LayerPlan make(const ParameterTable& table) {
    plan_input();
    for (std::size_t index = 0; index < spec_.layers.size();) index += add_layers(index);
    settle_relu();
    if (has_backward()) add_backward(table);
    return std::move(plan_);
  }

 private:
  bool has_backward() const { return options_.training && !options_.every_activation; }
  const Shape& input_of(std::size_t index) const { return index == 0 ? spec_.input : shapes_[index - 1]; }

  template <typename Kind>
  const Kind* layer_at(std::size_t index) const {
    return index < spec_.layers.size() ? std::get_if<Kind>(&spec_.layers[index]) : nullptr;
  }

  // Whether nothing follows the operation that has a fused ReLU.
  bool relu_is_last() const { return relu_owner_ && *relu_owner_ + 1 == plan_.operations.size(); }

  void plan_input() {
    const auto* first = layer_at<Convolution>(0);
    plan_.input = spec_.input;
    if (first == nullptr) return;
    if (options_.patches_input) plan_.input_patch = patch_side(*first, spec_.input);
    if (plan_.input_patch > 1) {
      plan_.input_padding = first->padding;
      plan_.input = patched_input(*first, spec_.input, shapes_[0], plan_.input_patch);
    } else if (options_.pads_input && first->padding.before != first->padding.after) {
      plan_.input_padding = first->padding;
      plan_.input.height += first->padding.before + first->padding.after;
      plan_.input.width += first->padding.before + first->padding.after;
    }
  }

  // How many layers were planned.
  std::size_t add_layers(std::size_t index) {
    if (const std::size_t served = add_fused_pool(index); served > 0) return served;
    if (!keeps_positive(spec_.layers[index])) settle_relu();
    return add_layer(index);
  }

  std::size_t add_fused_pool(std::size_t index) {
    if (!options_.serves_fused_pool || !relu_is_last()) return 0;
    PlannedOperation& owner = plan_.operations.back();
    const auto* convolution = std::get_if<Convolution>(&owner.kind);
    const auto* normalisation = layer_at<LocalResponseNormalisation>(index);
    const std::size_t served = normalisation != nullptr ? 2 : 1;
    const auto* pool = layer_at<MaxPool>(index + served - 1);
    if (convolution == nullptr || pool == nullptr) return 0;
    FusedPool fused{{}, *pool, convolution->name};
    if (normalisation != nullptr) fused.normalisation = *normalisation;
    if (!options_.serves_fused_pool(fused, input_of(index))) return 0;
    owner.leaves_bias_gradient = true;
    relu_owner_.reset();
    add({.kind = std::move(fused)}, index, served);
    return served;
  }

  std::size_t add_layer(std::size_t index) {
    const Layer& layer = spec_.layers[index];
    const int dropout = std::holds_alternative<Dropout>(layer) ? dropout_layers_++ : -1;
    if (is_identity(layer, input_of(index), shapes_[index], options_.training)) {
      plan_.activations.push_back(last_operation());
      return 1;
    }
    PlannedOperation operation{
        .kind = std::visit([](const auto& kind) -> OperationKind { return kind; }, layer),
        .relu = !options_.every_activation && fuses_relu(layer) && layer_at<Relu>(index + 1) != nullptr,
        .input_padded = index == 0 && plan_.input_padding != Padding{},
        .input_patch = index == 0 ? plan_.input_patch : 1,
        .scores = index + 1 == spec_.layers.size(),
        .dropout = dropout};
    if (options_.folds_dropout && dropout >= 0) fold_dropout(operation);
    const std::size_t served = operation.relu ? 2 : 1;
    if (operation.relu) relu_owner_ = plan_.operations.size();
    add(std::move(operation), index, served);
    return served;
  }

  // The ReLU before was settled.
  void fold_dropout(PlannedOperation& dropout) {
    if (!has_backward() || plan_.operations.empty()) return;
    PlannedOperation& owner = plan_.operations.back();
    if (!owner.takes_relu_gradient || !std::holds_alternative<FullyConnected>(owner.kind)) return;
    owner.gradient_factor = 1.0 / (1.0 - std::get<Dropout>(dropout.kind).p);
    dropout.leaves_gradient = true;
  }

  // `served`: layers from `index` on.
  void add(PlannedOperation operation, std::size_t index, std::size_t served) {
    operation.input = input_of(index);
    operation.output = shapes_[index + served - 1];
    plan_.operations.push_back(std::move(operation));
    layers_.push_back(index);
    plan_.activations.resize(index + served, last_operation());
  }

  std::optional<std::size_t> last_operation() const {
    if (plan_.operations.empty()) return {};
    return plan_.operations.size() - 1;
  }

  // Places the gradient of a fused ReLU behind what was planned so far.
  void settle_relu() {
    const bool last = relu_is_last();
    const auto owner = std::exchange(relu_owner_, std::nullopt);
    if (!owner || !has_backward()) return;
    if (last && options_.own_relu_gradient) {
      plan_.operations.back().takes_relu_gradient = true;
      return;
    }
    const Shape shape = plan_.operations.back().output;
    plan_.operations.push_back({.kind = ReluGradient{}, .input = shape, .output = shape});
    layers_.emplace_back();
  }

  // From the last operation to the first with parameters: nothing before that one needs a gradient.
  void add_backward(const ParameterTable& table) {
    std::size_t complete = 0;
    for (std::size_t operation = plan_.operations.size(); operation-- > 0 && complete < table.size();) {
      BackwardStep step{.operation = operation, .begin = complete, .end = complete};
      for (const Parameter& parameter : table.parameters()) {
        if (layers_[operation] != static_cast<std::size_t>(parameter.layer_index)) continue;
        ensure(parameter.offset == step.end, "parameters are in the order in which backward completes them");
        step.end = aligned_elements(parameter.offset + parameter.elements);
      }
      complete = step.end;
      step.input_gradient = complete < table.size();
      plan_.backward.push_back(step);
    }
    ensure(complete == table.size(), "backward completes every gradient");
  }

  const NetSpec& spec_;
  const PlanOptions& options_;
  std::vector<Shape> shapes_;
  LayerPlan plan_;
  std::vector<std::optional<std::size_t>> layers_;  // of each operation its first one; none: no layer's own
  std::optional<std::size_t> relu_owner_;  // operation whose fused ReLU's gradient is still to be placed
  int dropout_layers_ = 0;
};

}  // namespace

std::string operation_name(const OperationKind& kind) {
  struct Name {
    std::string operator()(const Convolution& layer) const { return layer.name; }
    std::string operator()(const FullyConnected& layer) const { return layer.name; }
    std::string operator()(const FusedPool& fused) const { return "pool behind " + fused.convolution; }
    std::string operator()(const Relu&) const { return "relu"; }
    std::string operator()(const ReluGradient&) const { return "relu gradient"; }
    std::string operator()(const LocalResponseNormalisation&) const { return "response normalisation"; }
    std::string operator()(const MaxPool&) const { return "max-pool"; }
    std::string operator()(const AdaptiveAveragePool&) const { return "average pool"; }
    std::string operator()(const Dropout&) const { return "dropout"; }
  };
  return std::visit(Name(), kind);
}

LayerPlan plan_layers(const NetSpec& spec, const ParameterTable& table, const PlanOptions& options) {
  return Planner(spec, options).make(table);
}

}  // namespace convoy
