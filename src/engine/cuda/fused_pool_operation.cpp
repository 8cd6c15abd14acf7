// Normalisation, where the network has it, and max-pooling behind a convolution whose ReLU is fused, by the
// fused kernels: backward makes the convolution's bias gradient too.
#include "engine/cuda/fused_pool.hpp"
#include "engine/cuda/operation.hpp"

namespace convoy::cuda {

namespace {

FusedPoolShape shape_of(const FusedPool& layer, const MapShape& input) {
  const MaxPool& pool = layer.pool;
  FusedPoolShape shape;
  shape.input = input;
  shape.window = pool.window;
  shape.stride = pool.stride;
  shape.after = pool.padding.after;
  shape.output_height = (input.height + shape.after - pool.window) / pool.stride + 1;
  shape.output_width = (input.width + shape.after - pool.window) / pool.stride + 1;
  shape.normalisation.size = 0;
  if (layer.normalisation) {
    const LocalResponseNormalisation& n = *layer.normalisation;
    shape.normalisation = {n.size, n.k, n.alpha, n.beta};
  }
  return shape;
}

class FusedPoolOperation final : public Operation {
 public:
  FusedPoolOperation(Builder& builder, const FusedPool& layer, const PlannedOperation& planned, Tensor* input)
      : shape_(shape_of(layer, input->shape)),
        bias_(builder.parameter(layer.convolution, ParameterKind::bias)),
        input_(input) {
    output_ = builder.tensor(builder.map(planned.output));
    output_->overwritable = true;
    if (builder.training()) codes_ = builder.scratch(fused_pool_code_bytes(shape_));
    builder.use(input);
    builder.tick();
  }

  std::string name() const override { return shape_.normalisation.size > 0 ? "normalisation+pool" : "pool"; }

  void forward(const Pass& pass) override {
    fused_pool_forward(pass.stream, input_->data, output_->data, codes_ == nullptr ? nullptr : codes_->data,
                       shape_);
  }

  Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) override {
    if (!input_gradient) return nullptr;
    output_gradient_ = output_gradient;
    input_gradient_ = builder.tensor(input_->shape);
    scratch_ = builder.scratch(fused_pool_scratch_bytes(shape_));
    builder.use(output_gradient);
    builder.use(codes_);
    if (reads_input()) builder.use(input_);
    builder.tick();
    return input_gradient_;
  }

  void backward(const Pass& pass) override {
    if (input_gradient_ == nullptr) return;
    fused_pool_backward(pass.stream, reads_input() ? input_->data : nullptr, codes_->data,
                        output_gradient_->data, input_gradient_->data, shape_, bias_.gradient, pass.add,
                        scratch_->data);
  }

 private:
  bool reads_input() const { return shape_.normalisation.size > 0; }

  FusedPoolShape shape_;
  ParameterView bias_;
  Tensor* input_;
  Tensor* codes_ = nullptr;  // where the windows' maxima are; kept for backward
  Tensor *output_gradient_ = nullptr, *input_gradient_ = nullptr, *scratch_ = nullptr;
};

}  // namespace

OperationPointer make_operation(Builder& builder, const FusedPool& layer, const PlannedOperation& planned,
                                Tensor* input) {
  return std::make_unique<FusedPoolOperation>(builder, layer, planned, input);
}

bool serves_fused_pool(const FusedPool& layer, const MapShape& map) {
  return layer.pool.padding.before == 0 && serves_fused_pool(shape_of(layer, map));
}

}  // namespace convoy::cuda
