// Local response normalisation across channels.
#include "engine/cpu/convolution_layouts.hpp"
#include "engine/cpu/operation.hpp"

namespace convoy::cpu {

namespace {

using Forward = dnnl::lrn_forward;
using Backward = dnnl::lrn_backward;

Forward::primitive_desc describe_forward(Builder& builder, const LocalResponseNormalisation& layer,
                                         const memory::desc& input) {
  return describe_normalisation(builder.library().engine, user_scratchpad(), builder.forward_kind(), input,
                                layer.size, layer.alpha, layer.beta, layer.k);
}

class NormalisationOperation final : public Operation {
 public:
  NormalisationOperation(Builder& builder, const LocalResponseNormalisation& layer, Tensor* input)
      : layer_(layer), input_(input) {
    checked("local response normalisation", [&] {
      const Forward::primitive_desc chosen = describe_forward(builder, layer_, input_->desc);
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
      const auto chosen = describe_normalisation_backward(
          builder.library().engine, user_scratchpad(), describe_forward(builder, layer_, input_->desc),
          input_->desc, output_->desc, layer_.size, layer_.alpha, layer_.beta, layer_.k);
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
  LocalResponseNormalisation layer_;
  Tensor* input_;
  Tensor* workspace_ = nullptr;
  Conversion conversion_;
  Primitive forward_, backward_;
};

}  // namespace

ChainLink link_of(Builder& builder, const LocalResponseNormalisation& layer, const PlannedOperation&,
                  const memory::desc& input) {
  return {describe_forward(builder, layer, input).impl_info_str(), input, input};
}

OperationPointer make_operation(Builder& builder, const LocalResponseNormalisation& layer,
                                const PlannedOperation&, Tensor* input) {
  return std::make_unique<NormalisationOperation>(builder, layer, input);
}

}  // namespace convoy::cpu
