// Max-pooling, with padding that never wins and may differ before and after.
#include "base/error.hpp"
#include "engine/cpu/convolution_layouts.hpp"
#include "engine/cpu/operation.hpp"

namespace convoy::cpu {

namespace {

using Forward = PoolingForward;
using Backward = PoolingBackward;

memory::dims strides(const MaxPool& layer) {
  return {layer.stride, layer.stride};
}
memory::dims window(const MaxPool& layer) {
  return {layer.window, layer.window};
}
memory::dims no_dilation() {
  return {0, 0};
}
memory::dims before(const MaxPool& layer) {
  return {layer.padding.before, layer.padding.before};
}
memory::dims after(const MaxPool& layer) {
  return {layer.padding.after, layer.padding.after};
}

Forward::primitive_desc describe_forward(Builder& builder, const MaxPool& layer, const memory::dims& output,
                                         const memory::desc& input) {
  return describe<Forward>(builder.library().engine, user_scratchpad(), builder.forward_kind(),
                           dnnl::algorithm::pooling_max, input, any_layout(output, data_type_of(input)),
                           strides(layer), window(layer), no_dilation(), before(layer), after(layer));
}

class MaxPoolOperation final : public Operation {
 public:
  MaxPoolOperation(Builder& builder, const MaxPool& layer, const PlannedOperation& planned, Tensor* input)
      : layer_(layer), input_(input), output_dims_(builder.dims(planned.output)) {
    checked("max-pooling", [&] {
      const Forward::primitive_desc chosen = describe_forward(builder, layer_, output_dims_, input->desc);
      output_ = builder.tensor(chosen.dst_desc());
      std::unordered_map<int, Tensor*> arguments{{DNNL_ARG_SRC, input}, {DNNL_ARG_DST, output_}};
      if (builder.training())
        arguments[DNNL_ARG_WORKSPACE] = workspace_ = builder.tensor(chosen.workspace_desc());
      forward_ = builder.primitive(Forward(chosen), chosen.scratchpad_desc(), arguments);
    });
  }

  void forward(const Pass& pass) override { forward_.run(*pass.library); }

  Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) override {
    if (!input_gradient) return nullptr;
    return checked("backward of max-pooling", [&] {
      conversion_ = builder.convert(output_gradient, output_->desc);
      const auto chosen = describe_backward<Backward>(
          builder.library().engine, user_scratchpad(),
          describe_forward(builder, layer_, output_dims_, input_->desc), dnnl::algorithm::pooling_max,
          input_->desc, output_->desc, strides(layer_), window(layer_), no_dilation(), before(layer_),
          after(layer_));
      Tensor* result = builder.tensor(chosen.diff_src_desc());
      backward_ = builder.primitive(Backward(chosen), chosen.scratchpad_desc(),
                                    {{DNNL_ARG_DIFF_DST, conversion_.result},
                                     {DNNL_ARG_DIFF_SRC, result},
                                     {DNNL_ARG_WORKSPACE, workspace_}});
      return result;
    });
  }

  void backward(const Pass& pass) override {
    if (!backward_) return;
    conversion_.run(*pass.library);
    backward_.run(*pass.library);
  }

 private:
  MaxPool layer_;
  Tensor* input_;
  memory::dims output_dims_;
  Tensor* workspace_ = nullptr;
  Conversion conversion_;
  Primitive forward_, backward_;
};

}  // namespace

ChainLink link_of(Builder& builder, const MaxPool& layer, const PlannedOperation& planned,
                  const memory::desc& input) {
  const auto chosen = describe_forward(builder, layer, builder.dims(planned.output), input);
  return {chosen.impl_info_str(), input, chosen.dst_desc()};
}

OperationPointer make_operation(Builder& builder, const MaxPool& layer, const PlannedOperation& planned,
                                Tensor* input) {
  return std::make_unique<MaxPoolOperation>(builder, layer, planned, input);
}

OperationPointer make_operation(Builder&, const FusedPool&, const PlannedOperation&, Tensor*) {
  fail(ExitCode::bug, "the CPU engine has no fused pool");
}

}  // namespace convoy::cpu
