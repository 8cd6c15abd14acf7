#include "engine/cuda/padded_source.hpp"

namespace convoy::cuda {

PaddedSource::PaddedSource(Builder& builder, Tensor* input, Padding padding, Fill fill)
    : padding_(padding), fill_(fill), input_(input), source_(input) {
  if (padding.before == padding.after) return;
  const int more = padding.before + padding.after;
  const MapShape& shape = input->shape;
  source_ = builder.tensor(builder.map({shape.channels, shape.height + more, shape.width + more}));
  builder.use(input);
  builder.tick();
}

void PaddedSource::forward(cudaStream_t stream) const {
  if (copies())
    pad(stream, input_->data, input_->shape, padding_.before, padding_.after, fill_, source_->data);
}

Tensor* PaddedSource::prepare_backward(Builder& builder) {
  source_gradient_ = input_gradient_ = builder.tensor(source_->shape);
  builder.tick();
  if (!copies()) return input_gradient_;
  builder.use(source_gradient_);
  input_gradient_ = builder.tensor(input_->shape);
  builder.tick();
  return input_gradient_;
}

void PaddedSource::backward(cudaStream_t stream) const {
  if (copies())
    unpad(stream, source_gradient_->data, input_->shape, padding_.before, padding_.after,
          input_gradient_->data);
}

}  // namespace convoy::cuda
