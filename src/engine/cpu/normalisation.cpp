// Local response normalisation across channels.
#include <optional>

#include "engine/cpu/convolution_layouts.hpp"
#include "engine/cpu/normalisation_gradient.hpp"
#include "engine/cpu/operation.hpp"

namespace convoy::cpu {

namespace {

using Forward = dnnl::lrn_forward;
using Backward = dnnl::lrn_backward;

Forward::primitive_desc describe_forward(Builder& builder, const LocalResponseNormalisation& layer,
                                         const memory::desc& input, dnnl::prop_kind kind) {
  return describe_normalisation(builder.library().engine, user_scratchpad(), kind, input, layer.size,
                                layer.alpha, layer.beta, layer.k);
}

Backward::primitive_desc describe_backward(Builder& builder, const LocalResponseNormalisation& layer,
                                           const memory::desc& maps) {
  return describe_normalisation_backward(
      builder.library().engine, user_scratchpad(),
      describe_forward(builder, layer, maps, dnnl::prop_kind::forward_training), maps, maps, layer.size,
      layer.alpha, layer.beta, layer.k);
}

// Our own loop, where oneDNN's is slow.
std::optional<NormalisationGradient> own_gradient(Builder& builder, const LocalResponseNormalisation& layer,
                                                  const memory::desc& maps) {
  if (implementation_cost(describe_backward(builder, layer, maps).impl_info_str()) == 0) return std::nullopt;
  return NormalisationGradient::make(layer, maps);
}

class NormalisationOperation final : public Operation {
 public:
  NormalisationOperation(Builder& builder, const LocalResponseNormalisation& layer, Tensor* input)
      : layer_(layer), input_(input) {
    checked("local response normalisation", [&] {
      if (builder.training()) own_gradient_ = own_gradient(builder, layer_, input_->desc);
      // Our loop needs nothing of what oneDNN keeps for its own.
      const Forward::primitive_desc chosen =
          describe_forward(builder, layer_, input_->desc,
                           own_gradient_ ? dnnl::prop_kind::forward_inference : builder.forward_kind());
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
      if (own_gradient_) {
        gradient_ = builder.tensor(input_->desc);
        builder.use(input_);
        builder.use(conversion_.result);
        builder.tick();
        return gradient_;
      }
      const auto chosen = describe_backward(builder, layer_, input_->desc);
      Tensor* result = builder.tensor(chosen.diff_src_desc());
      std::unordered_map<int, Tensor*> arguments{
          {DNNL_ARG_SRC, input_}, {DNNL_ARG_DIFF_DST, conversion_.result}, {DNNL_ARG_DIFF_SRC, result}};
      if (workspace_ != nullptr) arguments[DNNL_ARG_WORKSPACE] = workspace_;
      backward_ = builder.primitive(Backward(chosen), chosen.scratchpad_desc(), arguments);
      return result;
    });
  }

  void backward(const Pass& pass) override {
    if (gradient_ == nullptr && !backward_) return;
    conversion_.run(*pass.library);
    if (gradient_ == nullptr) return backward_.run(*pass.library);
    const auto values = [](const Tensor* tensor) {
      return static_cast<float*>(tensor->values.get_data_handle());
    };
    own_gradient_->run(values(input_), values(conversion_.result), values(gradient_));
  }

 private:
  LocalResponseNormalisation layer_;
  Tensor* input_;
  Tensor* workspace_ = nullptr;
  std::optional<NormalisationGradient> own_gradient_;
  Tensor* gradient_ = nullptr;  // that it writes
  Conversion conversion_;
  Primitive forward_, backward_;
};

}  // namespace

ChainLink link_of(Builder& builder, const LocalResponseNormalisation& layer, const PlannedOperation&,
                  const memory::desc& input) {
  return {describe_forward(builder, layer, input, builder.forward_kind()).impl_info_str(), input, input};
}

OperationPointer make_operation(Builder& builder, const LocalResponseNormalisation& layer,
                                const PlannedOperation&, Tensor* input) {
  return std::make_unique<NormalisationOperation>(builder, layer, input);
}

}  // namespace convoy::cpu
