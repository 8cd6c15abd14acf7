// Normalisation, where the network has it, and max-pooling behind a convolution whose ReLU is fused, by the
// fused kernels: backward makes the convolution's bias gradient too.
#include "engine/cuda/fused_pool.hpp"
#include "engine/cuda/operation.hpp"

namespace convoy::cuda {

namespace {

FusedPoolShape shape_of(const LocalResponseNormalisation* normalisation, const MaxPool& pool,
                        const MapShape& input) {
  FusedPoolShape shape;
  shape.input = input;
  shape.window = pool.window;
  shape.stride = pool.stride;
  shape.output_height = (input.height - pool.window) / pool.stride + 1;
  shape.output_width = (input.width - pool.window) / pool.stride + 1;
  shape.normalisation.size = 0;
  if (normalisation != nullptr) {
    shape.normalisation = {normalisation->size, normalisation->k, normalisation->alpha, normalisation->beta};
  }
  return shape;
}

class FusedPoolOperation final : public Operation {
 public:
  FusedPoolOperation(Builder& builder, const FusedPoolShape& shape, Tensor* input, const ParameterView& bias)
      : shape_(shape), bias_(bias), input_(input) {
    output_ = builder.tensor(builder.map(input->shape.channels, shape.output_height, shape.output_width));
    output_->overwritable = true;
    builder.use(input);
    builder.tick();
  }

  std::string name() const override { return shape_.normalisation.size > 0 ? "normalisation+pool" : "pool"; }

  void forward(const Pass& pass) override {
    fused_pool_forward(pass.stream, input_->data, output_->data, shape_);
  }

  Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) override {
    if (!input_gradient) return nullptr;
    output_gradient_ = output_gradient;
    input_gradient_ = builder.tensor(input_->shape);
    scratch_ = builder.scratch(fused_pool_scratch_bytes(shape_));
    builder.use(output_gradient);
    builder.use(input_);
    builder.tick();
    return input_gradient_;
  }

  void backward(const Pass& pass) override {
    if (input_gradient_ == nullptr) return;
    fused_pool_backward(pass.stream, input_->data, output_gradient_->data, input_gradient_->data, shape_,
                        bias_.gradient, pass.add, scratch_->data);
  }

 private:
  FusedPoolShape shape_;
  ParameterView bias_;
  Tensor* input_;
  Tensor *output_gradient_ = nullptr, *input_gradient_ = nullptr, *scratch_ = nullptr;
};

}  // namespace

OperationPointer make_fused_pool(Builder& builder, const LocalResponseNormalisation* normalisation,
                                 const MaxPool& pool, Tensor* input, const ParameterView& bias) {
  if (pool.padding != Padding{}) return nullptr;
  const FusedPoolShape shape = shape_of(normalisation, pool, input->shape);
  if (!serves_fused_pool(shape)) return nullptr;
  return std::make_unique<FusedPoolOperation>(builder, shape, input, bias);
}

}  // namespace convoy::cuda
