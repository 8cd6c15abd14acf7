// Convolution with bias and, fused, ReLU. convolution_layouts.hpp chooses layouts, and whether the first
// convolution runs over patches; weights are kept canonical (goihw) and copied once after every update.
#include <string>

#include "engine/cpu/convolution_layouts.hpp"
#include "engine/cpu/gradient_sink.hpp"
#include "engine/cpu/operation.hpp"
#include "engine/input_patches.hpp"

namespace convoy::cpu {

namespace {

using Forward = dnnl::convolution_forward;
using BackwardData = dnnl::convolution_backward_data;
using BackwardWeights = dnnl::convolution_backward_weights;

// What oneDNN is told to compute.
struct Geometry {
  memory::dims input, weights, strides, before, after;
};

Geometry own_geometry(const Convolution& layer, const memory::dims& input) {
  const memory::dim groups = layer.groups;
  return {.input = input,
          .weights = groups == 1 ? memory::dims{layer.filters, input[1], layer.kernel, layer.kernel}
                                 : memory::dims{groups, layer.filters / groups, input[1] / groups,
                                                layer.kernel, layer.kernel},
          .strides = {layer.stride, layer.stride},
          .before = {layer.padding.before, layer.padding.before},
          .after = {layer.padding.after, layer.padding.after}};
}

// Of maps of one element type.
struct Maps {
  Geometry geometry;
  memory::dims output;
  memory::data_type type;
};

Forward::primitive_desc describe_maps(const dnnl::engine& engine, dnnl::prop_kind kind, const Maps& maps,
                                      const ConvolutionLayouts& layouts,
                                      const dnnl::primitive_attr& attributes) {
  const Geometry& geometry = maps.geometry;
  return describe<Forward>(engine, attributes, kind, dnnl::algorithm::convolution_direct,
                           memory::desc(geometry.input, maps.type, layouts.input),
                           any_layout(geometry.weights, maps.type),
                           any_layout({maps.output[1]}, memory::data_type::f32),
                           memory::desc(maps.output, maps.type, layouts.output), geometry.strides,
                           geometry.before, geometry.after);
}

class ConvolutionOperation final : public Operation {
 public:
  ConvolutionOperation(Builder& builder, const Convolution& layer, const PlannedOperation& planned,
                       Tensor* input)
      : layer_(layer),
        weight_(builder.parameter(layer.name, ParameterKind::weight)),
        bias_(builder.parameter(layer.name, ParameterKind::bias)),
        input_(input),
        output_dims_(builder.dims(planned.output)),
        type_(builder.activation_type()) {
    geometry_ = own_geometry(layer, dims_of(input->desc));
    own_weights_ = geometry_.weights;
    if (input->patchable) plan_patches(planned);
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
    if (patched_gradient_ != nullptr)
      from_patches(patches_, static_cast<const float*>(patched_gradient_->values.get_data_handle()),
                   static_cast<float*>(weight_gradient_.get_data_handle()));
    pass.gradients_computed();
    if (!backward_data_) return;
    backward_weights_copy_->refresh(library, pass.parameter_version);
    data_output_gradient_.run(library);
    backward_data_.run(library);
  }

 private:
  // The same convolution over patches of its input, where those serve it.
  void plan_patches(const PlannedOperation& planned) {
    const int side = patch_side(layer_, planned.input);
    if (side == 1) return;
    patches_ = {.filters = layer_.filters,
                .channels = planned.input.channels,
                .kernel = layer_.kernel,
                .patch = side};
    const Shape shape = patched_input(layer_, planned.input, planned.output, side);
    patched_geometry_ = {.input = {output_dims_[0], shape.channels, shape.height, shape.width},
                         .weights = {layer_.filters, shape.channels, patches_.side(), patches_.side()},
                         .strides = {1, 1},
                         .before = {0, 0},
                         .after = {0, 0}};
  }

  Forward::primitive_desc describe_forward(const dnnl::engine& engine, dnnl::prop_kind kind,
                                           const ConvolutionLayouts& layouts,
                                           const dnnl::primitive_attr& attributes = {}) const {
    const Geometry& geometry = layouts.patches ? patched_geometry_ : geometry_;
    return describe_maps(engine, kind, {geometry, output_dims_, type_}, layouts, attributes);
  }

  BackwardWeights::primitive_desc describe_backward_weights(const dnnl::engine& engine,
                                                            const ConvolutionLayouts& layouts) const {
    const Geometry& geometry = layouts.patches ? patched_geometry_ : geometry_;
    return describe_backward<BackwardWeights>(engine, user_scratchpad(), backward_hint(engine, layouts),
                                              dnnl::algorithm::convolution_direct,
                                              memory::desc(geometry.input, type_, layouts.weights_gradient),
                                              any_layout(geometry.weights, memory::data_type::f32),
                                              any_layout({layer_.filters}, memory::data_type::f32),
                                              memory::desc(output_dims_, type_, layouts.weights_gradient),
                                              geometry.strides, geometry.before, geometry.after);
  }

  // oneDNN's layouts, of what the forward pass computes.
  Forward::primitive_desc backward_hint(const dnnl::engine& engine, const ConvolutionLayouts& layouts) const {
    return describe_forward(engine, dnnl::prop_kind::forward_training, {.patches = layouts.patches});
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
    const bool patchable = patches_.patch > 1;
    const auto describe_link = [&](const ConvolutionLayouts& wanted) {
      const auto served = describe_forward(engine, kind, wanted, attributes);
      if (wanted.weights_gradient != memory::format_tag::any &&
          is_scalar(describe_backward_weights(engine, wanted).impl_info_str()))
        throw dnnl::error(dnnl_unimplemented, "a gradient of weights in scalar code");
      return ChainLink{served.impl_info_str(), served.src_desc(), served.dst_desc()};
    };
    layouts_ = choose_layouts(builder, {layer_.name, *input_, patchable, describe_link});
    const auto chosen = describe_forward(engine, kind, layouts_, attributes);
    if (layouts_.patches) {
      geometry_ = patched_geometry_;
      builder.write_in_patches(input_, chosen.src_desc(), {patches_.patch, layer_.padding.before});
    } else {
      patches_ = {};
    }
    input_conversion_ = builder.convert(input_, chosen.src_desc());
    weights_ = weight_copy(builder, chosen.weights_desc());
    output_ = builder.tensor(chosen.dst_desc());
    forward_ = builder.primitive(Forward(chosen), chosen.scratchpad_desc(),
                                 {{DNNL_ARG_SRC, input_conversion_.result}, {DNNL_ARG_DST, output_}},
                                 {{DNNL_ARG_WEIGHTS, weights_->values()},
                                  {DNNL_ARG_BIAS, builder.canonical(bias_, {layer_.filters})}});
    if (layouts_.copied == memory::format_tag::any) return;
    output_conversion_ = builder.convert(output_, memory::desc(output_dims_, type_, layouts_.copied));
    output_ = output_conversion_.result;
  }

  WeightCopy* weight_copy(Builder& builder, const memory::desc& wanted) const {
    return patches_.patch > 1 ? builder.weights(weight_, patches_, wanted)
                              : builder.weights(weight_, own_weights_, wanted);
  }

  // The input in the layout wanted, without a copy where the forward pass already made one.
  Tensor* nearest_input(const memory::desc& wanted) const {
    return input_conversion_.result->desc == wanted ? input_conversion_.result : input_;
  }

  void compile_backward_weights(Builder& builder, Tensor* output_gradient) {
    const dnnl::engine& engine = builder.library().engine;
    const auto chosen = describe_backward_weights(engine, layouts_);
    weights_input_ = builder.convert(nearest_input(chosen.src_desc()), chosen.src_desc());
    weights_output_gradient_ = builder.convert(output_gradient, chosen.diff_dst_desc());
    weight_gradient_ = builder.gradient(weight_, own_weights_);
    if (patches_.patch > 1)
      patched_gradient_ = builder.tensor(plain_desc(geometry_.weights, memory::data_type::f32));
    weight_sink_ = GradientSink(builder, chosen.diff_weights_desc(),
                                patched_gradient_ != nullptr ? patched_gradient_->values : weight_gradient_);
    backward_weights_ = builder.primitive(
        BackwardWeights(chosen), chosen.scratchpad_desc(),
        {{DNNL_ARG_SRC, weights_input_.result}, {DNNL_ARG_DIFF_DST, weights_output_gradient_.result}},
        {{DNNL_ARG_DIFF_WEIGHTS, weight_sink_.target()},
         {DNNL_ARG_DIFF_BIAS, builder.gradient(bias_, {layer_.filters})}});
    weight_sink_.announce(builder);
    if (patched_gradient_ == nullptr) return;
    builder.use(patched_gradient_);
    builder.tick();
  }

  Tensor* compile_backward_data(Builder& builder, Tensor* output_gradient) {
    const dnnl::engine& engine = builder.library().engine;
    const auto hint = backward_hint(engine, layouts_);
    const auto chosen = describe_backward<BackwardData>(
        engine, user_scratchpad(), hint, dnnl::algorithm::convolution_direct,
        any_layout(geometry_.input, type_), any_layout(geometry_.weights, type_),
        any_layout(output_dims_, type_), geometry_.strides, geometry_.before, geometry_.after);
    Tensor* nearest = weights_output_gradient_.result->desc == chosen.diff_dst_desc()
                          ? weights_output_gradient_.result
                          : output_gradient;
    data_output_gradient_ = builder.convert(nearest, chosen.diff_dst_desc());
    backward_weights_copy_ = weight_copy(builder, chosen.weights_desc());
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
  Tensor* input_;
  memory::dims output_dims_;
  memory::data_type type_;
  Geometry geometry_, patched_geometry_;
  ConvolutionLayouts layouts_;
  PatchFilter patches_;  // patch 1: the input is not in patches
  memory::dims own_weights_;
  Conversion input_conversion_, output_conversion_, weights_input_, weights_output_gradient_,
      data_output_gradient_;
  WeightCopy *weights_ = nullptr, *backward_weights_copy_ = nullptr;
  memory weight_gradient_;
  Tensor* patched_gradient_ = nullptr;
  GradientSink weight_sink_;
  Primitive forward_, backward_weights_, backward_data_;
};

}  // namespace

memory::desc liked_input(Builder& builder, const Convolution& layer, const PlannedOperation& planned) {
  const Maps maps{own_geometry(layer, builder.dims(planned.input)), builder.dims(planned.output),
                  builder.activation_type()};
  return describe_maps(builder.library().engine, builder.forward_kind(), maps, {}, {}).src_desc();
}

OperationPointer make_operation(Builder& builder, const Convolution& layer, const PlannedOperation& planned,
                                Tensor* input) {
  return std::make_unique<ConvolutionOperation>(builder, layer, planned, input);
}

}  // namespace convoy::cpu
