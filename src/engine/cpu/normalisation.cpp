// Local response normalisation across channels.
#include "engine/cpu/operation.hpp"

namespace convoy::cpu {

namespace {

using Forward = dnnl::lrn_forward;
using Backward = dnnl::lrn_backward;

class NormalisationOperation final : public Operation {
 public:
  NormalisationOperation(Builder& builder, const LocalResponseNormalisation& layer, Tensor* input)
      : layer_(layer), input_(input) {
    checked("local response normalisation", [&] {
      const Forward::primitive_desc chosen = description(builder);
      output_ = builder.tensor(chosen.dst_desc());
      std::unordered_map<int, Tensor*> arguments{{DNNL_ARG_SRC, input}, {DNNL_ARG_DST, output_}};
      const memory::desc workspace = chosen.workspace_desc();
      if (workspace.get_size() > 0) arguments[DNNL_ARG_WORKSPACE] = workspace_ = builder.tensor(workspace);
      forward_ = builder.primitive(Forward(chosen), chosen.scratchpad_desc(), arguments);
    });
  }

  void forward(const Pass& pass) override { forward_.run(*pass.library); }

  Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) override {
    if (!input_gradient) return nullptr;
    return checked("backward of local response normalisation", [&] {
      conversion_ = builder.convert(output_gradient, output_->desc);
      const Backward::desc wanted(dnnl::algorithm::lrn_across_channels, input_->desc, output_->desc,
                                  layer_.size, layer_.alpha, layer_.beta, layer_.k);
      const Backward::primitive_desc chosen(wanted, user_scratchpad(), builder.library().engine,
                                            description(builder));
      Tensor* result = builder.tensor(chosen.diff_src_desc());
      std::unordered_map<int, Tensor*> arguments{
          {DNNL_ARG_SRC, input_}, {DNNL_ARG_DIFF_DST, conversion_.result}, {DNNL_ARG_DIFF_SRC, result}};
      if (workspace_ != nullptr) arguments[DNNL_ARG_WORKSPACE] = workspace_;
      backward_ = builder.primitive(Backward(chosen), chosen.scratchpad_desc(), arguments);
      return result;
    });
  }

  void backward(const Pass& pass) override {
    if (!backward_) return;
    conversion_.run(*pass.library);
    backward_.run(*pass.library);
  }

 private:
  Forward::primitive_desc description(Builder& builder) const {
    const auto kind =
        builder.training() ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
    return {{kind, dnnl::algorithm::lrn_across_channels, input_->desc, layer_.size, layer_.alpha, layer_.beta,
             layer_.k},
            user_scratchpad(),
            builder.library().engine};
  }

  LocalResponseNormalisation layer_;
  Tensor* input_;
  Tensor* workspace_ = nullptr;
  Conversion conversion_;
  Primitive forward_, backward_;
};

}  // namespace

OperationPointer make_operation(Builder& builder, const LocalResponseNormalisation& layer,
                                const PlannedOperation&, Tensor* input) {
  return std::make_unique<NormalisationOperation>(builder, layer, input);
}

}  // namespace convoy::cpu
