// The input of an operation whose library pads alike on all sides only: where the layer's padding is uneven,
// a copy of the input with its padding, made by own kernels. Used by convolution.cpp and max_pool.cpp.
#pragma once

#include "engine/cuda/cuda_builder.hpp"
#include "model/net_spec.hpp"

namespace convoy::cuda {

class PaddedSource {
 public:
  // Announces the copy, if there is one.
  PaddedSource(Builder& builder, Tensor* input, Padding padding, Fill fill);

  // What the library reads, and the padding that is left to it.
  Tensor* tensor() const { return source_; }
  int library_padding() const { return copies() ? 0 : padding_.before; }

  void forward(cudaStream_t stream) const;

  // Announces the gradients: first what the library writes, which is gradient(), in a tick with what was
  // announced as used; returns the input's.
  Tensor* prepare_backward(Builder& builder);
  Tensor* gradient() const { return source_gradient_; }
  // Behind the library's call: from gradient() to the input's.
  void backward(cudaStream_t stream) const;

 private:
  bool copies() const { return source_ != input_; }

  Padding padding_;
  Fill fill_;
  Tensor *input_, *source_;
  Tensor *source_gradient_ = nullptr, *input_gradient_ = nullptr;
};

}  // namespace convoy::cuda
