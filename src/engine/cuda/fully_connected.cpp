// Fully connected layer with bias and, fused, ReLU: Y = X · Wᵀ + b. Its weights are in the order of the
// input map's memory (C, H, W or H, W, C), so that flattening is no work.
#include "engine/cuda/bias_gradient.hpp"
#include "engine/cuda/matrix_product.hpp"
#include "engine/cuda/operation.hpp"

namespace convoy::cuda {

namespace {

class FullyConnectedOperation final : public Operation {
 public:
  FullyConnectedOperation(Builder& builder, const FullyConnected& layer, const PlannedOperation& planned,
                          Tensor* input)
      : layer_(layer),
        takes_relu_gradient_(planned.takes_relu_gradient),
        gradient_factor_(static_cast<float>(planned.gradient_factor)),
        weight_(builder.parameter(layer.name, ParameterKind::weight)),
        bias_(builder.parameter(layer.name, ParameterKind::bias)),
        element_(input->shape.element),
        inputs_(static_cast<int>(input->shape.row_elements())),
        input_(input) {
    MapShape shape = builder.map(planned.output);
    if (planned.scores) shape.element = Element::float32;
    // The library takes a bias of its result's element.
    forward_bias_ = planned.scores ? bias_.values : bias_.operand;
    forward_ = product(builder, layer.name + ", forward",
                       {.rows = builder.batch(),
                        .columns = layer.outputs,
                        .inner = inputs_,
                        .transpose_right = true,
                        .operands = element_,
                        .result = shape.element},
                       planned.relu ? ProductEpilogue::bias_relu : ProductEpilogue::bias);
    output_ = builder.tensor(shape);
    output_->overwritable = true;
    builder.use(input);
    builder.tick();
  }

  std::string name() const override { return layer_.name; }

  void forward(const Pass&) override {
    forward_.run(input_->data, weight_.operand, forward_bias_, output_->data, false, workspace_->data);
  }

  Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) override {
    output_gradient_ = output_gradient;
    bias_gradient_.prepare(builder, output_gradient, takes_relu_gradient_ ? output_ : nullptr,
                           gradient_factor_);
    weight_product_ = product(builder, layer_.name + ", weight gradient",
                              {.rows = layer_.outputs,
                               .columns = inputs_,
                               .inner = builder.batch(),
                               .transpose_left = true,
                               .operands = element_,
                               .result = Element::float32});
    builder.use(input_);
    builder.use(output_gradient);
    builder.tick();
    if (!input_gradient) return nullptr;
    data_product_ = product(builder, layer_.name + ", input gradient",
                            {.rows = builder.batch(),
                             .columns = inputs_,
                             .inner = layer_.outputs,
                             .operands = element_,
                             .result = element_});
    input_gradient_ = builder.tensor(input_->shape);
    builder.use(output_gradient);
    builder.tick();
    return input_gradient_;
  }

  void backward(const Pass& pass) override {
    bias_gradient_.run(pass, bias_.gradient);
    weight_product_.run(output_gradient_->data, input_->data, nullptr, weight_.gradient, pass.add,
                        workspace_->data);
    pass.gradients_enqueued();
    if (input_gradient_ == nullptr) return;
    data_product_.run(output_gradient_->data, weight_.operand, nullptr, input_gradient_->data, false,
                      workspace_->data);
  }

 private:
  MatrixProduct product(Builder& builder, const std::string& what, const ProductShape& shape,
                        ProductEpilogue epilogue = ProductEpilogue::none) {
    MatrixProduct result(builder.libraries(), what, shape, builder.precision() == Precision::tf32, epilogue);
    if (builder.tuner() != nullptr && builder.tuner()->measures()) result.tune(*builder.tuner(), what);
    workspace_ = builder.workspace(result.workspace_bytes());
    return result;
  }

  FullyConnected layer_;
  bool takes_relu_gradient_;
  float gradient_factor_;
  ParameterView weight_, bias_;
  Element element_;
  int inputs_;
  Tensor* input_;
  const void* forward_bias_ = nullptr;
  MatrixProduct forward_, weight_product_, data_product_;
  BiasGradient bias_gradient_;
  Tensor *workspace_ = nullptr, *output_gradient_ = nullptr, *input_gradient_ = nullptr;
};

}  // namespace

OperationPointer make_operation(Builder& builder, const FullyConnected& layer,
                                const PlannedOperation& planned, Tensor* input) {
  return std::make_unique<FullyConnectedOperation>(builder, layer, planned, input);
}

}  // namespace convoy::cuda
