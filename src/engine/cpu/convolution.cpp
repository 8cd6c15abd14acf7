// Convolution with bias and, fused, ReLU. Layouts are oneDNN's choice; weights are kept canonical (goihw) and
// copied once after every update.
#include <string>

#include "engine/cpu/convolution_layouts.hpp"
#include "engine/cpu/gradient_sink.hpp"
#include "engine/cpu/operation.hpp"

namespace convoy::cpu {

namespace {

using Forward = dnnl::convolution_forward;
using BackwardData = dnnl::convolution_backward_data;
using BackwardWeights = dnnl::convolution_backward_weights;

class ConvolutionOperation final : public Operation {
 public:
  ConvolutionOperation(Builder& builder, const Convolution& layer, const PlannedOperation& planned,
                       Tensor* input)
      : layer_(layer),
        weight_(builder.parameter(layer.name, ParameterKind::weight)),
        bias_(builder.parameter(layer.name, ParameterKind::bias)),
        input_(input) {
    const memory::dims in = dims_of(input->desc);
    input_dims_ = in;
    output_dims_ = builder.dims(planned.output);
    const memory::dim groups = layer.groups;
    weight_dims_ = groups == 1 ? memory::dims{layer.filters, in[1], layer.kernel, layer.kernel}
                               : memory::dims{groups, layer.filters / groups, in[1] / groups, layer.kernel,
                                              layer.kernel};
    type_ = builder.activation_type();
    checked(("convolution " + layer.name).c_str(), [&] { compile_forward(builder, planned.relu); });
  }

  void forward(const Pass& pass) override {
    weights_->refresh(*pass.library, pass.parameter_version);
    input_conversion_.run(*pass.library);
    forward_.run(*pass.library);
    output_conversion_.run(*pass.library);
  }

  Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) override {
    return checked(("backward of convolution " + layer_.name).c_str(), [&] {
      compile_backward_weights(builder, output_gradient);
      return input_gradient ? compile_backward_data(builder, output_gradient) : nullptr;
    });
  }

  void backward(const Pass& pass) override {
    Library& library = *pass.library;
    weights_input_.run(library);
    weights_output_gradient_.run(library);
    backward_weights_.run(library);
    weight_sink_.finish(library);
    pass.gradients_computed();
    if (!backward_data_) return;
    backward_weights_copy_->refresh(library, pass.parameter_version);
    data_output_gradient_.run(library);
    backward_data_.run(library);
  }

 private:
  memory::dims strides() const { return {layer_.stride, layer_.stride}; }
  memory::dims before() const { return {layer_.padding.before, layer_.padding.before}; }
  memory::dims after() const { return {layer_.padding.after, layer_.padding.after}; }

  Forward::primitive_desc describe_forward(const dnnl::engine& engine, dnnl::prop_kind kind,
                                           const ConvolutionLayouts& layouts,
                                           const dnnl::primitive_attr& attributes = {}) const {
    return describe<Forward>(engine, attributes, kind, dnnl::algorithm::convolution_direct,
                             memory::desc(input_dims_, type_, layouts.input), any_layout(weight_dims_, type_),
                             any_layout({layer_.filters}, memory::data_type::f32),
                             memory::desc(output_dims_, type_, layouts.output), strides(), before(), after());
  }

  dnnl::primitive_attr forward_attributes(bool relu) const {
    dnnl::primitive_attr attributes = user_scratchpad();
    if (relu) {
      dnnl::post_ops operations;
      append_relu(operations);
      attributes.set_post_ops(operations);
    }
    return attributes;
  }

  void compile_forward(Builder& builder, bool relu) {
    const dnnl::engine& engine = builder.library().engine;
    const dnnl::primitive_attr attributes = forward_attributes(relu);
    const auto kind = builder.forward_kind();
    const ConvolutionLayouts layouts = choose_layouts(builder, [&](const ConvolutionLayouts& wanted) {
      const auto served = describe_forward(engine, kind, wanted, attributes);
      return ChainLink{served.impl_info_str(), served.src_desc(), served.dst_desc()};
    });
    const auto chosen = describe_forward(engine, kind, layouts, attributes);
    input_conversion_ = builder.convert(input_, chosen.src_desc());
    weights_ = builder.weights(weight_, weight_dims_, chosen.weights_desc());
    output_ = builder.tensor(chosen.dst_desc());
    forward_ = builder.primitive(Forward(chosen), chosen.scratchpad_desc(),
                                 {{DNNL_ARG_SRC, input_conversion_.result}, {DNNL_ARG_DST, output_}},
                                 {{DNNL_ARG_WEIGHTS, weights_->values()},
                                  {DNNL_ARG_BIAS, builder.canonical(bias_, {layer_.filters})}});
    if (layouts.copied == memory::format_tag::any) return;
    output_conversion_ = builder.convert(output_, memory::desc(output_dims_, type_, layouts.copied));
    output_ = output_conversion_.result;
  }

  // The input in the layout wanted, without a copy where the forward pass already made one.
  Tensor* nearest_input(const memory::desc& wanted) const {
    return input_conversion_.result->desc == wanted ? input_conversion_.result : input_;
  }

  void compile_backward_weights(Builder& builder, Tensor* output_gradient) {
    const dnnl::engine& engine = builder.library().engine;
    const auto hint = describe_forward(engine, dnnl::prop_kind::forward_training, {});
    const auto chosen = describe_backward<BackwardWeights>(
        engine, user_scratchpad(), hint, dnnl::algorithm::convolution_direct, any_layout(input_dims_, type_),
        any_layout(weight_dims_, memory::data_type::f32),
        any_layout({layer_.filters}, memory::data_type::f32), any_layout(output_dims_, type_), strides(),
        before(), after());
    weights_input_ = builder.convert(nearest_input(chosen.src_desc()), chosen.src_desc());
    weights_output_gradient_ = builder.convert(output_gradient, chosen.diff_dst_desc());
    weight_sink_ = GradientSink(builder, chosen.diff_weights_desc(), builder.gradient(weight_, weight_dims_));
    backward_weights_ = builder.primitive(
        BackwardWeights(chosen), chosen.scratchpad_desc(),
        {{DNNL_ARG_SRC, weights_input_.result}, {DNNL_ARG_DIFF_DST, weights_output_gradient_.result}},
        {{DNNL_ARG_DIFF_WEIGHTS, weight_sink_.target()},
         {DNNL_ARG_DIFF_BIAS, builder.gradient(bias_, {layer_.filters})}});
    weight_sink_.announce(builder);
  }

  Tensor* compile_backward_data(Builder& builder, Tensor* output_gradient) {
    const dnnl::engine& engine = builder.library().engine;
    const auto hint = describe_forward(engine, dnnl::prop_kind::forward_training, {});
    const auto chosen = describe_backward<BackwardData>(
        engine, user_scratchpad(), hint, dnnl::algorithm::convolution_direct, any_layout(input_dims_, type_),
        any_layout(weight_dims_, type_), any_layout(output_dims_, type_), strides(), before(), after());
    Tensor* nearest = weights_output_gradient_.result->desc == chosen.diff_dst_desc()
                          ? weights_output_gradient_.result
                          : output_gradient;
    data_output_gradient_ = builder.convert(nearest, chosen.diff_dst_desc());
    backward_weights_copy_ = builder.weights(weight_, weight_dims_, chosen.weights_desc());
    Tensor* input_gradient = builder.tensor(chosen.diff_src_desc());
    backward_data_ = builder.primitive(
        BackwardData(chosen), chosen.scratchpad_desc(),
        {{DNNL_ARG_DIFF_DST, data_output_gradient_.result}, {DNNL_ARG_DIFF_SRC, input_gradient}},
        {{DNNL_ARG_WEIGHTS, backward_weights_copy_->values()}});
    return input_gradient;
  }

  Convolution layer_;
  const Parameter& weight_;
  const Parameter& bias_;
  memory::dims input_dims_, output_dims_, weight_dims_;
  memory::data_type type_ = memory::data_type::f32;
  Tensor* input_;
  Conversion input_conversion_, output_conversion_, weights_input_, weights_output_gradient_,
      data_output_gradient_;
  WeightCopy *weights_ = nullptr, *backward_weights_copy_ = nullptr;
  GradientSink weight_sink_;
  Primitive forward_, backward_weights_, backward_data_;
};

}  // namespace

OperationPointer make_operation(Builder& builder, const Convolution& layer, const PlannedOperation& planned,
                                Tensor* input) {
  return std::make_unique<ConvolutionOperation>(builder, layer, planned, input);
}

}  // namespace convoy::cpu
