// The first convolution over an input in patches (engine/input_patches.hpp), with bias and, fused, ReLU. The
// flat buffers keep the layer's own filter: each pass spreads it over patches, and gathers its gradient from
// theirs; both move less than 200 KB. Nothing before it needs a gradient.
#include "base/error.hpp"
#include "engine/cuda/bias_gradient.hpp"
#include "engine/cuda/operation.hpp"
#include "engine/input_patches.hpp"

namespace convoy::cuda {

namespace {

class PatchConvolution final : public Operation {
 public:
  PatchConvolution(Builder& builder, const Convolution& layer, const PlannedOperation& planned, Tensor* input)
      : name_(layer.name),
        takes_relu_gradient_(planned.takes_relu_gradient),
        leaves_bias_gradient_(planned.leaves_bias_gradient),
        weight_(builder.parameter(layer.name, ParameterKind::weight)),
        bias_(builder.parameter(layer.name, ParameterKind::bias)),
        filter_{layer.filters, layer.kernel, planned.input.channels, planned.input_patch},
        input_(input) {
    const ConvolutionShape shape{.input = input->shape,
                                 .output = builder.map(planned.output),
                                 .kernel = patched_kernel(layer.kernel, planned.input_patch)};
    convolution_ = builder.convolution(layer.name, shape, planned.relu);
    convolution_->gather_gradient(
        [stream = builder.libraries().stream(), filter = filter_](const void* values, Element element,
                                                                  bool add, float* gradient) {
          from_patches(stream, values, element, filter, gradient, add);
        },
        weight_.end - weight_.begin);
    workspace_ = builder.workspace(0);
    patched_ = builder.scratch(convolution_->filter_bytes());
    output_ = builder.tensor(shape.output);
    output_->overwritable = true;
    builder.use(input_);
    builder.tick();
  }

  std::string name() const override { return name_; }

  void forward(const Pass& pass) override {
    to_patches(pass.stream, weight_.operand, input_->shape.element, filter_, patched_->data);
    convolution_->forward(input_->data, patched_->data, bias_.operand, output_->data, workspace_->data);
  }

  Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) override {
    ensure(!input_gradient, "nothing before the first convolution needs a gradient");
    output_gradient_ = output_gradient;
    if (!leaves_bias_gradient_)
      bias_gradient_.prepare(builder, output_gradient, takes_relu_gradient_ ? output_ : nullptr);
    builder.use(input_);
    builder.use(output_gradient);
    builder.tick();
    return nullptr;
  }

  void backward(const Pass& pass) override {
    if (!leaves_bias_gradient_) bias_gradient_.run(pass, bias_.gradient);
    convolution_->backward_filter(input_->data, output_gradient_->data, weight_.gradient, pass.add,
                                  workspace_->data);
    pass.gradients_enqueued();
  }

 private:
  std::string name_;
  bool takes_relu_gradient_, leaves_bias_gradient_;
  ParameterView weight_, bias_;
  PatchFilter filter_;
  BiasGradient bias_gradient_;
  LibraryConvolution* convolution_ = nullptr;
  Tensor *input_, *workspace_ = nullptr, *patched_ = nullptr, *output_gradient_ = nullptr;
};

}  // namespace

OperationPointer make_patch_convolution(Builder& builder, const Convolution& layer,
                                        const PlannedOperation& planned, Tensor* input) {
  return std::make_unique<PatchConvolution>(builder, layer, planned, input);
}

}  // namespace convoy::cuda
