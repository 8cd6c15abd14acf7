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
    builder.tick();
    if (!input_gradient) return nullptr;
    convolution_->want_input_gradient();
    builder.use(output_gradient);
    return source_.prepare_backward(builder);
  }

  void backward(const Pass& pass) override {
    const void* source = source_.tensor()->data;
    if (!leaves_bias_gradient_) bias_gradient_.run(pass, bias_.gradient);
    convolution_->backward_filter(source, output_gradient_->data, weight_.gradient, pass.add,
                                  workspace_->data);
    pass.gradients_enqueued();
    if (source_.gradient() == nullptr) return;
    convolution_->backward_data(weight_.operand, output_gradient_->data, source_.gradient()->data,
                                workspace_->data);
    source_.backward(pass.stream);
  }

 private:
  std::string name_;
  bool takes_relu_gradient_, leaves_bias_gradient_;
  ParameterView weight_, bias_;
  PaddedSource source_;
  BiasGradient bias_gradient_;
  LibraryConvolution* convolution_ = nullptr;
  Tensor *workspace_ = nullptr, *output_gradient_ = nullptr;
};

}  // namespace

OperationPointer make_operation(Builder& builder, const Convolution& layer, const PlannedOperation& planned,
                                Tensor* input) {
  if (planned.input_patch > 1) return make_patch_convolution(builder, layer, planned, input);
  return std::make_unique<ConvolutionOperation>(builder, layer, planned, input);
}

}  // namespace convoy::cuda
