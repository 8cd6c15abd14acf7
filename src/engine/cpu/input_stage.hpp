// The first operation of a program: stored uint8 images → the network's input, normalised, in the layout that
// the first convolution likes.
#pragma once

#include "data/batch.hpp"
#include "engine/cpu/builder.hpp"
#include "model/net_spec.hpp"

namespace convoy::cpu {

class InputStage {
 public:
  // `input` must outlive this. `patches`: the first convolution may have the output written in patches.
  InputStage(Builder& builder, const InputSpec& input, const Shape& shape, bool patches);

  Tensor* output() const { return output_; }

  // Fills all rows of the output: those that are absent with zeros. `batch` was checked (BatchChecks).
  void run(const BatchView& batch) const;

 private:
  template <typename Element>
  void run_as(const BatchView& batch) const;

  const InputSpec& input_;
  Shape shape_;
  Tensor* output_;
};

}  // namespace convoy::cpu
