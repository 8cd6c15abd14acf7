// Fully connected layer with bias and, fused, ReLU: Y = X · Wᵀ + b. Its weights are in the order of the
// input map's memory (C, H, W or H, W, C), so that flattening is no work.
#include <algorithm>

#include "device/cuda/memory.hpp"
#include "engine/cuda/bias_gradient.hpp"
#include "engine/cuda/device_bench.hpp"
#include "engine/cuda/matrix_product.hpp"
#include "engine/cuda/operation.hpp"

namespace convoy::cuda {

namespace {

// Both gradients of a layer in memory of their own.
class GradientBench final : public LateDeviceBench {
 public:
  GradientBench(cudaStream_t stream, const ProductShape& weights, const ProductShape& inputs,
                std::size_t workspace_bytes, std::size_t side_workspace_bytes)
      : stream_(stream),
        weights_(weights),
        inputs_(inputs),
        workspace_bytes_(workspace_bytes),
        side_workspace_bytes_(side_workspace_bytes) {}

  DeviceMemory output_gradient, input, weight, weight_gradient, input_gradient, workspace, side_workspace;

 private:
  static std::size_t bytes(Element element, int rows, int columns) {
    return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns) * bytes_of(element);
  }

  DeviceBench make() override {
    constexpr const char* purpose = "choosing how gradients are computed";
    const int batch = inputs_.rows, outputs = inputs_.inner, columns = inputs_.columns;
    const Element element = inputs_.operands;
    output_gradient = DeviceMemory(bytes(element, batch, outputs), purpose);
    input = DeviceMemory(bytes(element, batch, columns), purpose);
    weight = DeviceMemory(bytes(element, outputs, columns), purpose);
    weight_gradient = DeviceMemory(bytes(weights_.result, outputs, columns), purpose);
    input_gradient = DeviceMemory(bytes(element, batch, columns), purpose);
    workspace = DeviceMemory(workspace_bytes_, purpose);
    side_workspace = DeviceMemory(side_workspace_bytes_, purpose);
    return {stream_,
            {{output_gradient.data(), output_gradient.size(), element},
             {input.data(), input.size(), element},
             {weight.data(), weight.size(), element}},
            {weight_gradient.data(), weight_gradient.size(), weights_.result}};
  }

  cudaStream_t stream_;
  ProductShape weights_, inputs_;
  std::size_t workspace_bytes_, side_workspace_bytes_;
};

class FullyConnectedOperation final : public Operation {
 public:
  FullyConnectedOperation(Builder& builder, const FullyConnected& layer, const PlannedOperation& planned,
                          Tensor* input)
      : layer_(layer),
        takes_relu_gradient_(planned.takes_relu_gradient),
        gradient_factor_(static_cast<float>(planned.gradient_factor)),
        weight_(builder.parameter(layer.name, ParameterKind::weight)),
        bias_(builder.parameter(layer.name, ParameterKind::bias)),
        element_(input->shape.element),
        inputs_(static_cast<int>(input->shape.row_elements())),
        input_(input) {
    MapShape shape = builder.map(planned.output);
    if (planned.scores) shape.element = Element::float32;
    // The library takes a bias of its result's element.
    forward_bias_ = planned.scores ? bias_.values : bias_.operand;
    forward_ = product(builder, layer.name + ", forward",
                       {.rows = builder.batch(),
                        .columns = layer.outputs,
                        .inner = inputs_,
                        .transpose_right = true,
                        .operands = element_,
                        .result = shape.element},
                       planned.relu ? ProductEpilogue::bias_relu : ProductEpilogue::bias);
    output_ = builder.tensor(shape);
    output_->overwritable = true;
    builder.use(input);
    builder.tick();
  }

  std::string name() const override { return layer_.name; }

  void forward(const Pass&) override {
    forward_.run(input_->data, weight_.operand, forward_bias_, output_->data, false, workspace_->data);
  }

  Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) override {
    output_gradient_ = output_gradient;
    bias_gradient_.prepare(builder, output_gradient, takes_relu_gradient_ ? output_ : nullptr,
                           gradient_factor_);
    const ProductShape weights{.rows = layer_.outputs,
                               .columns = inputs_,
                               .inner = builder.batch(),
                               .transpose_left = true,
                               .operands = element_,
                               .result = Element::float32};
    weight_product_ = product(builder, layer_.name + ", gradient of weights", weights);
    builder.use(input_);
    builder.use(output_gradient);
    if (!input_gradient) {
      builder.tick();
      return nullptr;
    }
    const ProductShape inputs{.rows = builder.batch(),
                              .columns = inputs_,
                              .inner = layer_.outputs,
                              .operands = element_,
                              .result = element_};
    data_product_ = product(builder, layer_.name + ", gradient of inputs", inputs);
    if (builder.branch() != nullptr && builder.tuner() != nullptr)
      choose_branch(*builder.tuner(), *builder.branch(), builder.libraries().stream(), weights, inputs);
    if (branch_ == nullptr) {
      builder.tick();
      builder.use(output_gradient);
    } else {
      // Both at a time: nothing that one needs lies where the other writes.
      side_workspace_ = builder.side_workspace(weight_product_.workspace_bytes());
    }
    input_gradient_ = builder.tensor(input_->shape);
    builder.tick();
    return input_gradient_;
  }

  void backward(const Pass& pass) override {
    bias_gradient_.run(pass, bias_.gradient);
    if (branch_ != nullptr) {
      branch_->fork(pass.stream);
      weight_product_.run_on(branch_->stream(), output_gradient_->data, input_->data, nullptr,
                             weight_.gradient, pass.add, side_workspace_->data);
    } else {
      weight_product_.run(output_gradient_->data, input_->data, nullptr, weight_.gradient, pass.add,
                          workspace_->data);
      pass.gradients_enqueued();
    }
    if (input_gradient_ == nullptr) return;
    data_product_.run(output_gradient_->data, weight_.operand, nullptr, input_gradient_->data, false,
                      workspace_->data);
    if (branch_ == nullptr) return;
    branch_->join(pass.stream);
    pass.gradients_enqueued();
  }

 private:
  MatrixProduct product(Builder& builder, const std::string& what, const ProductShape& shape,
                        ProductEpilogue epilogue = ProductEpilogue::none) {
    MatrixProduct result(builder.libraries(), what, shape, builder.precision() == Precision::tf32, epilogue);
    if (builder.tuner() != nullptr && builder.tuner()->measures()) result.tune(*builder.tuner(), what);
    workspace_ = builder.workspace(result.workspace_bytes());
    return result;
  }

  void choose_branch(Tuner& tuner, const SideBranch& branch, cudaStream_t stream, const ProductShape& weights,
                     const ProductShape& inputs) {
    GradientBench bench(stream, weights, inputs,
                        std::max(weight_product_.workspace_bytes(), data_product_.workspace_bytes()),
                        weight_product_.workspace_bytes());
    const auto run = [&](bool beside) {
      if (beside) branch.fork(stream);
      weight_product_.run_on(beside ? branch.stream() : stream, bench.output_gradient.data(),
                             bench.input.data(), nullptr, bench.weight_gradient.data(), false,
                             (beside ? bench.side_workspace : bench.workspace).data());
      data_product_.run(bench.output_gradient.data(), bench.weight.data(), nullptr,
                        bench.input_gradient.data(), false, bench.workspace.data());
      if (beside) branch.join(stream);
      return true;
    };
    const bool beside = runs_beside(tuner,
                                    {.layer = layer_.name,
                                     .key = weight_product_.key() + ", and " + data_product_.key(),
                                     .tolerance = result_tolerance(Precision::fp32, Element::float32),
                                     .run = run},
                                    bench);
    branch_ = beside ? &branch : nullptr;
  }

  FullyConnected layer_;
  bool takes_relu_gradient_;
  float gradient_factor_;
  ParameterView weight_, bias_;
  Element element_;
  int inputs_;
  Tensor* input_;
  const void* forward_bias_ = nullptr;
  MatrixProduct forward_, weight_product_, data_product_;
  BiasGradient bias_gradient_;
  const SideBranch* branch_ = nullptr;  // of the weights' gradient, where it runs beside the inputs'
  Tensor *workspace_ = nullptr, *side_workspace_ = nullptr, *output_gradient_ = nullptr,
         *input_gradient_ = nullptr;
};

}  // namespace

OperationPointer make_operation(Builder& builder, const FullyConnected& layer,
                                const PlannedOperation& planned, Tensor* input) {
  return std::make_unique<FullyConnectedOperation>(builder, layer, planned, input);
}

}  // namespace convoy::cuda
