// Fully connected layer with bias and, fused, ReLU. Flattens its input channel first, whatever its layout.
#include <string>

#include "engine/cpu/convolution_layouts.hpp"
#include "engine/cpu/gradient_sink.hpp"
#include "engine/cpu/operation.hpp"

namespace convoy::cpu {

namespace {

using Forward = dnnl::inner_product_forward;
using BackwardData = dnnl::inner_product_backward_data;
using BackwardWeights = dnnl::inner_product_backward_weights;

class FullyConnectedOperation final : public Operation {
 public:
  FullyConnectedOperation(Builder& builder, const FullyConnected& layer, const PlannedOperation& planned,
                          Tensor* input)
      : layer_(layer),
        weight_(builder.parameter(layer.name, ParameterKind::weight)),
        bias_(builder.parameter(layer.name, ParameterKind::bias)),
        input_dims_(dims_of(input->desc)),
        type_(builder.activation_type()),
        output_type_(planned.scores ? memory::data_type::f32 : type_) {
    memory::dim inputs = 1;
    for (std::size_t axis = 1; axis < input_dims_.size(); ++axis) inputs *= input_dims_[axis];
    source_dims_ = {input_dims_[0], inputs};
    weight_dims_ = {layer.outputs, inputs};
    output_dims_ = {input_dims_[0], layer.outputs};
    checked(("fully connected " + layer.name).c_str(),
            [&] { compile_forward(builder, input, planned.relu); });
  }

  void forward(const Pass& pass) override {
    weights_->refresh(*pass.library, pass.parameter_version);
    flattened_.run(*pass.library);
    forward_.run(*pass.library);
  }

  Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) override {
    return checked(("backward of fully connected " + layer_.name).c_str(), [&] {
      output_gradient_ = builder.convert(output_gradient, plain_desc(output_dims_, type_));
      compile_backward_weights(builder);
      return input_gradient ? compile_backward_data(builder) : nullptr;
    });
  }

  void backward(const Pass& pass) override {
    Library& library = *pass.library;
    output_gradient_.run(library);
    backward_weights_.run(library);
    weight_sink_.finish(library);
    pass.gradients_computed();
    if (!backward_data_) return;
    backward_weights_copy_->refresh(library, pass.parameter_version);
    backward_data_.run(library);
  }

 private:
  Forward::primitive_desc describe_forward(const dnnl::engine& engine, dnnl::prop_kind kind,
                                           const memory::desc& weights,
                                           const dnnl::primitive_attr& attributes = {}) const {
    return describe<Forward>(engine, attributes, kind, plain_desc(source_dims_, type_), weights,
                             any_layout({layer_.outputs}, memory::data_type::f32),
                             plain_desc(output_dims_, output_type_));
  }

  Forward::primitive_desc choose_forward(const dnnl::engine& engine, dnnl::prop_kind kind,
                                         const dnnl::primitive_attr& attributes) const {
    auto chosen = describe_forward(engine, kind, any_layout(weight_dims_, type_), attributes);
    // A product of plain matrices takes the canonical weights as they are. For few rows oneDNN 2.6 wants them
    // transposed, which costs a copy after each update (fc6: 71 ms on two threads of a Zen 3) and gains
    // nothing: in memory aligned as ours the product then takes 92 ms for 64 rows instead of 78.
    if (is_matrix_product(chosen.impl_info_str())) {
      auto canonical = describe_forward(engine, kind, plain_desc(weight_dims_, type_), attributes);
      if (std::string(canonical.impl_info_str()) == chosen.impl_info_str()) return canonical;
    }
    return chosen;
  }

  void compile_forward(Builder& builder, Tensor* input, bool relu) {
    dnnl::primitive_attr attributes = user_scratchpad();
    if (relu) {
      dnnl::post_ops operations;
      append_relu(operations);
      attributes.set_post_ops(operations);
    }
    const auto chosen = choose_forward(builder.library().engine, builder.forward_kind(), attributes);
    // Row-major N × C × H × W is the same memory as row-major N × inputs.
    flattened_ = builder.convert(input, plain_desc(input_dims_, type_));
    source_ = builder.view(flattened_.result, plain_desc(source_dims_, type_));
    weights_ = builder.weights(weight_, weight_dims_, chosen.weights_desc());
    output_ = builder.tensor(chosen.dst_desc());
    forward_ = builder.primitive(Forward(chosen), chosen.scratchpad_desc(),
                                 {{DNNL_ARG_SRC, source_}, {DNNL_ARG_DST, output_}},
                                 {{DNNL_ARG_WEIGHTS, weights_->values()},
                                  {DNNL_ARG_BIAS, builder.canonical(bias_, {layer_.outputs})}});
  }

  void compile_backward_weights(Builder& builder) {
    const dnnl::engine& engine = builder.library().engine;
    const auto hint =
        describe_forward(engine, dnnl::prop_kind::forward_training, any_layout(weight_dims_, type_));
    const memory::desc canonical = plain_desc(weight_dims_, memory::data_type::f32);
    const auto chosen = describe_backward<BackwardWeights>(
        engine, user_scratchpad(), hint, plain_desc(source_dims_, type_), canonical,
        any_layout({layer_.outputs}, memory::data_type::f32), plain_desc(output_dims_, type_));
    weight_sink_ = GradientSink(builder, chosen.diff_weights_desc(), builder.gradient(weight_, weight_dims_));
    backward_weights_ =
        builder.primitive(BackwardWeights(chosen), chosen.scratchpad_desc(),
                          {{DNNL_ARG_SRC, source_}, {DNNL_ARG_DIFF_DST, output_gradient_.result}},
                          {{DNNL_ARG_DIFF_WEIGHTS, weight_sink_.target()},
                           {DNNL_ARG_DIFF_BIAS, builder.gradient(bias_, {layer_.outputs})}});
    weight_sink_.announce(builder);
  }

  Tensor* compile_backward_data(Builder& builder) {
    const dnnl::engine& engine = builder.library().engine;
    const auto hint =
        describe_forward(engine, dnnl::prop_kind::forward_training, any_layout(weight_dims_, type_));
    const auto chosen =
        describe_backward<BackwardData>(engine, user_scratchpad(), hint, plain_desc(source_dims_, type_),
                                        any_layout(weight_dims_, type_), plain_desc(output_dims_, type_));
    backward_weights_copy_ = builder.weights(weight_, weight_dims_, chosen.weights_desc());
    Tensor* input_gradient = builder.tensor(plain_desc(source_dims_, type_));
    backward_data_ =
        builder.primitive(BackwardData(chosen), chosen.scratchpad_desc(),
                          {{DNNL_ARG_DIFF_DST, output_gradient_.result}, {DNNL_ARG_DIFF_SRC, input_gradient}},
                          {{DNNL_ARG_WEIGHTS, backward_weights_copy_->values()}});
    return builder.view(input_gradient, plain_desc(input_dims_, type_));
  }

  FullyConnected layer_;
  const Parameter& weight_;
  const Parameter& bias_;
  memory::dims input_dims_, source_dims_, output_dims_, weight_dims_;
  memory::data_type type_, output_type_;
  Conversion flattened_, output_gradient_;
  Tensor* source_ = nullptr;
  WeightCopy *weights_ = nullptr, *backward_weights_copy_ = nullptr;
  GradientSink weight_sink_;
  Primitive forward_, backward_weights_, backward_data_;
};

}  // namespace

OperationPointer make_operation(Builder& builder, const FullyConnected& layer,
                                const PlannedOperation& planned, Tensor* input) {
  return std::make_unique<FullyConnectedOperation>(builder, layer, planned, input);
}

}  // namespace convoy::cpu
