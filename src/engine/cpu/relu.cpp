// ReLU on its own, and the gradient of one that was fused into an earlier operation.
#include "engine/cpu/operation.hpp"

namespace convoy::cpu {

namespace {

// gradient ← gradient where output > 0, else 0, in place.
Primitive announce_mask(Builder& builder, Tensor* output, Tensor* gradient) {
  const dnnl::engine& engine = builder.library().engine;
  const auto algorithm = dnnl::algorithm::eltwise_relu_use_dst_for_bwd;
  const auto hint = describe_eltwise(engine, {}, algorithm, output->desc);
  const auto chosen =
      describe_eltwise_backward(engine, user_scratchpad(), hint, algorithm, gradient->desc, output->desc);
  return builder.primitive(
      dnnl::eltwise_backward(chosen), chosen.scratchpad_desc(),
      {{DNNL_ARG_DST, output}, {DNNL_ARG_DIFF_DST, gradient}, {DNNL_ARG_DIFF_SRC, gradient}});
}

class ReluMask : public Operation {
 public:
  explicit ReluMask(Tensor* output) { output_ = output; }

  void forward(const Pass& /*pass*/) override {}

  Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) override {
    if (!input_gradient) return nullptr;
    return checked("backward of ReLU", [&] {
      // The layout of the values: those two streams are then walked together.
      conversion_ = builder.convert(output_gradient, output_->desc);
      mask_ = announce_mask(builder, output_, conversion_.result);
      return conversion_.result;
    });
  }

  void backward(const Pass& pass) override {
    if (!mask_) return;
    conversion_.run(*pass.library);
    mask_.run(*pass.library);
  }

 private:
  Conversion conversion_;
  Primitive mask_;
};

class ReluOperation final : public ReluMask {
 public:
  ReluOperation(Builder& builder, Tensor* input) : ReluMask(nullptr) {
    checked("ReLU", [&] {
      output_ = builder.tensor(input->desc);
      const auto chosen = describe_eltwise(builder.library().engine, user_scratchpad(),
                                           dnnl::algorithm::eltwise_relu, input->desc);
      forward_ = builder.primitive(dnnl::eltwise_forward(chosen), chosen.scratchpad_desc(),
                                   {{DNNL_ARG_SRC, input}, {DNNL_ARG_DST, output_}});
    });
  }
  void forward(const Pass& pass) override { forward_.run(*pass.library); }

 private:
  Primitive forward_;
};

}  // namespace

OperationPointer make_operation(Builder& builder, const Relu&, const PlannedOperation&, Tensor* input) {
  return std::make_unique<ReluOperation>(builder, input);
}

OperationPointer make_operation(Builder&, const ReluGradient&, const PlannedOperation&, Tensor* input) {
  return std::make_unique<ReluMask>(input);
}

}  // namespace convoy::cpu
