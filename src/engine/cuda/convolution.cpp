// Convolution with bias and, fused, ReLU. Filters lie in the flat buffers as the library wants them (KCRS or
// KRSC by the program's layout), so nothing is copied but the 16-bit formats.
#include "engine/cuda/operation.hpp"

namespace convoy::cuda {

namespace {

class ConvolutionOperation final : public Operation {
 public:
  ConvolutionOperation(Builder& builder, const Convolution& layer, Tensor* input, bool relu,
                       bool input_padded)
      : layer_(layer),
        weight_(builder.parameter(layer.name, ParameterKind::weight)),
        bias_(builder.parameter(layer.name, ParameterKind::bias)),
        input_(input),
        source_(input) {
    ConvolutionShape shape;
    if (layer.padding.before == layer.padding.after && !input_padded) {
      shape.padding = layer.padding.before;
    } else if (!input_padded) {
      pad_source(builder);
    }
    shape.input = source_->shape;
    shape.kernel = layer.kernel;
    shape.stride = layer.stride;
    shape.groups = layer.groups;
    const auto out_side = [&](int side) {
      return (side + 2 * shape.padding - layer.kernel) / layer.stride + 1;
    };
    shape.output =
        builder.map(layer.filters, out_side(source_->shape.height), out_side(source_->shape.width));
    convolution_ = builder.convolution(layer.name, shape, relu);
    workspace_ = builder.workspace(0);
    output_ = builder.tensor(shape.output);
    output_->overwritable = true;
    builder.use(source_);
    builder.tick();
  }

  std::string name() const override { return layer_.name; }
  bool has_parameters() const override { return true; }

  void forward(const Pass& pass) override {
    if (source_ != input_) {
      pad(pass.stream, input_->data, input_->shape, layer_.padding.before, layer_.padding.after, Fill::zero,
          source_->data);
    }
    convolution_->forward(source_->data, weight_.operand, bias_.operand, output_->data, workspace_->data);
  }

  Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) override {
    output_gradient_ = output_gradient;
    if (!leaves_bias_gradient_) {
      bias_scratch_ = builder.scratch(bias_scratch_bytes(output_->shape));
      builder.use(output_gradient);
      if (takes_relu_gradient_) builder.use(output_);
      builder.tick();
    }
    builder.use(source_);
    builder.use(output_gradient);
    if (output_->shape.element != Element::float32) {
      narrow_gradient_ = builder.scratch(convolution_->filter_bytes());
    }
    builder.tick();
    if (!input_gradient) return nullptr;
    convolution_->want_input_gradient();
    builder.use(output_gradient);
    source_gradient_ = input_gradient_ = builder.tensor(source_->shape);
    builder.tick();
    if (source_ == input_) return input_gradient_;
    builder.use(source_gradient_);
    input_gradient_ = builder.tensor(input_->shape);
    builder.tick();
    return input_gradient_;
  }

  void backward(const Pass& pass) override {
    if (!leaves_bias_gradient_) {
      relu_backward_bias(pass.stream, output_gradient_->data, takes_relu_gradient_ ? output_->data : nullptr,
                         output_->shape, bias_.gradient, pass.add, bias_scratch_->data);
    }
    if (narrow_gradient_ == nullptr) {
      convolution_->backward_filter(source_->data, output_gradient_->data, weight_.gradient, pass.add,
                                    workspace_->data);
    } else {
      // The library writes 16 bits; the flat buffer is float32.
      convolution_->backward_filter(source_->data, output_gradient_->data, narrow_gradient_->data, false,
                                    workspace_->data);
      from_narrow(pass.stream, narrow_gradient_->data, output_->shape.element, weight_.gradient, pass.add,
                  weight_.end - weight_.begin);
    }
    pass.gradients_enqueued(bias_.end);
    if (input_gradient_ == nullptr) return;
    convolution_->backward_data(weight_.operand, output_gradient_->data, source_gradient_->data,
                                workspace_->data);
    if (source_ != input_) {
      unpad(pass.stream, source_gradient_->data, input_->shape, layer_.padding.before, layer_.padding.after,
            input_gradient_->data);
    }
  }

 private:
  // The library pads alike on all sides; other padding is made by a kernel.
  void pad_source(Builder& builder) {
    const int more = layer_.padding.before + layer_.padding.after;
    const MapShape& shape = input_->shape;
    source_ = builder.tensor(builder.map(shape.channels, shape.height + more, shape.width + more));
    builder.use(input_);
    builder.tick();
  }

  Convolution layer_;
  ParameterView weight_, bias_;
  Tensor *input_, *source_;  // source_: padded where the library could not
  LibraryConvolution* convolution_ = nullptr;
  Tensor* workspace_ = nullptr;
  Tensor *output_gradient_ = nullptr, *source_gradient_ = nullptr, *input_gradient_ = nullptr;
  Tensor *bias_scratch_ = nullptr, *narrow_gradient_ = nullptr;
};

}  // namespace

OperationPointer make_convolution(Builder& builder, const Convolution& layer, Tensor* input, bool relu,
                                  bool input_padded) {
  return std::make_unique<ConvolutionOperation>(builder, layer, input, relu, input_padded);
}

}  // namespace convoy::cuda
