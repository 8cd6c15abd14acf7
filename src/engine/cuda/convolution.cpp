// Convolution with bias and, fused, ReLU. Filters lie in the flat buffers as the library wants them (KCRS or
// KRSC by the program's layout), so nothing is copied but the 16-bit formats.
#include "engine/cuda/bias_gradient.hpp"
#include "engine/cuda/operation.hpp"
#include "engine/cuda/padded_source.hpp"

namespace convoy::cuda {

namespace {

class ConvolutionOperation final : public Operation {
 public:
  ConvolutionOperation(Builder& builder, const Convolution& layer, const PlannedOperation& planned,
                       Tensor* input)
      : name_(layer.name),
        takes_relu_gradient_(planned.takes_relu_gradient),
        leaves_bias_gradient_(planned.leaves_bias_gradient),
        weight_(builder.parameter(layer.name, ParameterKind::weight)),
        bias_(builder.parameter(layer.name, ParameterKind::bias)),
        source_(builder, input, planned.input_padded ? Padding{} : layer.padding, Fill::zero) {
    const ConvolutionShape shape{.input = source_.tensor()->shape,
                                 .output = builder.map(planned.output),
                                 .kernel = layer.kernel,
                                 .stride = layer.stride,
                                 .padding = source_.library_padding(),
                                 .groups = layer.groups};
    convolution_ = builder.convolution(layer.name, shape, planned.relu);
    workspace_ = builder.workspace(0);
    output_ = builder.tensor(shape.output);
    output_->overwritable = true;
    builder.use(source_.tensor());
    builder.tick();
  }

  std::string name() const override { return name_; }

  void forward(const Pass& pass) override {
    source_.forward(pass.stream);
    convolution_->forward(source_.tensor()->data, weight_.operand, bias_.operand, output_->data,
                          workspace_->data);
  }

  Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) override {
    output_gradient_ = output_gradient;
    if (!leaves_bias_gradient_)
      bias_gradient_.prepare(builder, output_gradient, takes_relu_gradient_ ? output_ : nullptr);
    builder.use(source_.tensor());
    builder.use(output_gradient);
    if (!input_gradient) {
      builder.tick();
      return nullptr;
    }
    convolution_->want_input_gradient();
    if (builder.branch() == nullptr) {
      builder.tick();
      builder.use(output_gradient);
    } else {
      // Both gradients may be computed at a time: nothing that one needs may lie where the other writes.
      convolution_->allow(*builder.branch());
      side_workspace_ = builder.side_workspace(0);
    }
    return source_.prepare_backward(builder);
  }

  void backward(const Pass& pass) override {
    if (!leaves_bias_gradient_) bias_gradient_.run(pass, bias_.gradient);
    const SideBranch* const branch = convolution_->filter_branch();
    if (branch != nullptr) branch->fork(pass.stream);
    convolution_->backward_filter(source_.tensor()->data, output_gradient_->data, weight_.gradient, pass.add,
                                  (branch != nullptr ? side_workspace_ : workspace_)->data);
    if (branch == nullptr) pass.gradients_enqueued();
    if (source_.gradient() == nullptr) return;
    convolution_->backward_data(weight_.operand, output_gradient_->data, source_.gradient()->data,
                                workspace_->data);
    if (branch != nullptr) {
      branch->join(pass.stream);
      pass.gradients_enqueued();
    }
    source_.backward(pass.stream);
  }

 private:
  std::string name_;
  bool takes_relu_gradient_, leaves_bias_gradient_;
  ParameterView weight_, bias_;
  PaddedSource source_;
  BiasGradient bias_gradient_;
  LibraryConvolution* convolution_ = nullptr;
  Tensor *workspace_ = nullptr, *side_workspace_ = nullptr, *output_gradient_ = nullptr;
};

}  // namespace

OperationPointer make_operation(Builder& builder, const Convolution& layer, const PlannedOperation& planned,
                                Tensor* input) {
  if (planned.input_patch > 1) return make_patch_convolution(builder, layer, planned, input);
  return std::make_unique<ConvolutionOperation>(builder, layer, planned, input);
}

}  // namespace convoy::cuda
