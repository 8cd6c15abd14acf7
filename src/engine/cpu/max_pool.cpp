// Max-pooling, with padding that never wins and may differ before and after.
#include "base/error.hpp"
#include "engine/cpu/operation.hpp"

namespace convoy::cpu {

namespace {

using Forward = dnnl::pooling_forward;
using Backward = dnnl::pooling_backward;

class MaxPoolOperation final : public Operation {
 public:
  MaxPoolOperation(Builder& builder, const MaxPool& layer, const PlannedOperation& planned, Tensor* input)
      : layer_(layer), input_(input), output_dims_(builder.dims(planned.output)) {
    checked("max-pooling", [&] {
      const Forward::primitive_desc chosen = description(builder);
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
      const Backward::desc wanted(dnnl::algorithm::pooling_max, input_->desc, output_->desc, strides(),
                                  window(), before(), after());
      const Backward::primitive_desc chosen(wanted, user_scratchpad(), builder.library().engine,
                                            description(builder));
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
  memory::dims strides() const { return {layer_.stride, layer_.stride}; }
  memory::dims window() const { return {layer_.window, layer_.window}; }
  memory::dims before() const { return {layer_.padding.before, layer_.padding.before}; }
  memory::dims after() const { return {layer_.padding.after, layer_.padding.after}; }

  Forward::primitive_desc description(Builder& builder) const {
    const auto kind =
        builder.training() ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
    const Forward::desc wanted(kind, dnnl::algorithm::pooling_max, input_->desc,
                               any_layout(output_dims_, input_->desc.data_type()), strides(), window(),
                               before(), after());
    return {wanted, user_scratchpad(), builder.library().engine};
  }

  MaxPool layer_;
  Tensor* input_;
  memory::dims output_dims_;
  Tensor* workspace_ = nullptr;
  Conversion conversion_;
  Primitive forward_, backward_;
};

}  // namespace

OperationPointer make_operation(Builder& builder, const MaxPool& layer, const PlannedOperation& planned,
                                Tensor* input) {
  return std::make_unique<MaxPoolOperation>(builder, layer, planned, input);
}

OperationPointer make_operation(Builder&, const FusedPool&, const PlannedOperation&, Tensor*) {
  fail(ExitCode::bug, "the CPU engine has no fused pool");
}

}  // namespace convoy::cpu
