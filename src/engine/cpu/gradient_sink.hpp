// Where a primitive leaves a weight gradient: straight in the flat gradient buffer when it writes the
// canonical layout, otherwise in a scratch tensor that is then reordered into it.
#pragma once

#include "engine/cpu/builder.hpp"

namespace convoy::cpu {

class GradientSink {
 public:
  GradientSink() = default;
  // `produced`: the layout the primitive writes. Announces nothing yet.
  GradientSink(Builder& builder, const memory::desc& produced, const memory& gradient);

  // What the primitive takes as its output.
  const memory& target() const { return scratch_ != nullptr ? scratch_->values : gradient_; }

  // Announces the reorder; call after the primitive was announced.
  void announce(Builder& builder);
  void finish(Library& library) const {
    if (reorder_) reorder_.run(library);
  }

 private:
  memory gradient_;
  Tensor* scratch_ = nullptr;
  Primitive reorder_;
};

}  // namespace convoy::cpu
