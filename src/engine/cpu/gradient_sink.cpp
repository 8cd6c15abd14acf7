#include "engine/cpu/gradient_sink.hpp"

namespace convoy::cpu {

GradientSink::GradientSink(Builder& builder, const memory::desc& produced, const memory& gradient)
    : gradient_(gradient) {
  if (produced != gradient.get_desc()) scratch_ = builder.tensor(produced);
}

void GradientSink::announce(Builder& builder) {
  if (scratch_ == nullptr) return;
  builder.use(scratch_);
  const dnnl::engine& engine = builder.library().engine;
  const dnnl::reorder::primitive_desc description(engine, scratch_->desc, engine, gradient_.get_desc());
  reorder_ = Primitive(dnnl::reorder(description),
                       {{DNNL_ARG_FROM, scratch_->values}, {DNNL_ARG_TO, gradient_}}, true);
  builder.tick();
}

}  // namespace convoy::cpu
