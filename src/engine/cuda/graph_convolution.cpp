// Plans by cuDNN's graph API. The graphs are of the forms that the library documents for cuDNN 9: one
// convolution with pointwise operations behind it, in float32 between them; the map first and the tensor
// that is broadcast second.
#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "engine/cuda/convolution_plan.hpp"
#include "engine/cuda/graph_engines.hpp"

namespace convoy::cuda {

namespace {

using Numbers = std::array<std::int64_t, 4>;

// Names of tensors in a graph.
enum TensorId : std::int64_t { first_id = 1, second_id, bias_id, result_id, convolved_id, biased_id };

// What a graph computes in one call.
enum class Content {
  convolution,  // alone, with a result as wide as the maps
  with_bias,    // forward: with bias, and ReLU where it is asked for
  wide,         // backward_filter: with a result of float32
};

// A tensor of four dimensions: row, channel, y, x.
struct GraphTensor {
  Numbers dimensions{}, strides{};
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  std::int64_t alignment = 16;  // of its data, in bytes
};

// The library may use loads as wide as the alignment that it is promised, up to 16 bytes. Everything begins
// at a multiple of that but slices, which are `step` bytes apart.
std::int64_t alignment_of(std::size_t step) {
  constexpr std::size_t most = 16;
  return static_cast<std::int64_t>(std::min(most, step & (~step + 1)));
}

// A map, or with a single slice a filter.
GraphTensor tensor_of(const MapShape& shape, int slices, cudnnDataType_t type) {
  const std::int64_t channels = shape.channels, height = shape.height, width = shape.width;
  const std::int64_t pitch = channels * slices;
  const bool last = shape.layout == Layout::channels_last;
  GraphTensor result{.dimensions = {shape.rows, channels, height, width},
                     .strides = last ? Numbers{height * width * pitch, 1, width * pitch, pitch}
                                     : Numbers{pitch * height * width, height * width, width, 1},
                     .type = type};
  if (slices > 1) {
    const std::int64_t step = last ? channels : channels * height * width;
    result.alignment = alignment_of(static_cast<std::size_t>(step) * bytes_of(shape.element));
  }
  return result;
}

struct Tensors {
  GraphTensor input, filter, bias, output;
};

Tensors tensors_of(const ConvolutionShape& shape, cudnnDataType_t filter_type) {
  const cudnnDataType_t type = cudnn_type(shape.input.element);
  MapShape filter = shape.input;
  filter.rows = shape.output.channels;
  filter.channels = shape.input.channels / shape.groups;
  filter.height = filter.width = shape.kernel;
  MapShape bias = shape.output;
  bias.rows = bias.height = bias.width = 1;
  Tensors result{.input = tensor_of(shape.input, shape.slices, type),
                 .filter = tensor_of(filter, 1, filter_type),
                 .bias = tensor_of(bias, 1, type),
                 .output = tensor_of(shape.output, shape.slices, type)};
  if (shape.slices > 1) {
    result.filter.alignment = alignment_of(shape.filter_bytes());
    result.bias.alignment = alignment_of(static_cast<std::size_t>(bias.channels) * bytes_of(bias.element));
  }
  return result;
}

// The names of the operations' attributes.
struct ConvolutionNames {
  cudnnBackendDescriptorType_t operation;
  cudnnBackendAttributeName_t input, filter, output, convolution, alpha, beta;
};

ConvolutionNames names_of(ConvolutionPass pass) {
  switch (pass) {
    case ConvolutionPass::forward:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
    case ConvolutionPass::backward_data:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
    default:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
  }
}

// Writes a graph down, one operation after another.
class GraphWriter {
 public:
  explicit GraphWriter(const Libraries& libraries) : libraries_(&libraries) {}

  const BackendDescriptor& tensor(TensorId id, const GraphTensor& tensor, bool kept = true) {
    BackendDescriptor& result = graph_->add(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    result.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, std::int64_t{id});
    result.set(CUDNN_ATTR_TENSOR_DATA_TYPE, tensor.type);
    result.set_all<std::int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS, tensor.dimensions);
    result.set_all<std::int64_t>(CUDNN_ATTR_TENSOR_STRIDES, tensor.strides);
    result.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, tensor.alignment);
    if (!kept) result.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, true);
    result.finalize();
    return result;
  }
  // One that only the operations of the graph see.
  const BackendDescriptor& between(TensorId id, GraphTensor tensor) {
    tensor.type = CUDNN_DATA_FLOAT;
    tensor.alignment = 16;
    return this->tensor(id, tensor, false);
  }

  void convolution(ConvolutionPass pass, const ConvolutionShape& shape, const BackendDescriptor& input,
                   const BackendDescriptor& filter, const BackendDescriptor& output) {
    using Pair = std::array<std::int64_t, 2>;
    const Pair strides{shape.stride, shape.stride}, paddings{shape.padding, shape.padding}, ones{1, 1};
    BackendDescriptor& convolution = graph_->add(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    convolution.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{2});
    convolution.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
    convolution.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION);
    convolution.set_all<std::int64_t>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, strides);
    convolution.set_all<std::int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, paddings);
    convolution.set_all<std::int64_t>(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, paddings);
    convolution.set_all<std::int64_t>(CUDNN_ATTR_CONVOLUTION_DILATIONS, ones);
    convolution.finalize();
    const ConvolutionNames names = names_of(pass);
    BackendDescriptor& operation = graph_->add(names.operation);
    operation.set_part(names.convolution, convolution);
    operation.set_part(names.input, input);
    operation.set_part(names.filter, filter);
    operation.set_part(names.output, output);
    operation.set(names.alpha, 1.0F);
    operation.set(names.beta, 0.0F);
    end(operation);
  }

  // `second`: null for an operation on one tensor.
  void pointwise(cudnnPointwiseMode_t mode, const BackendDescriptor& first, const BackendDescriptor* second,
                 const BackendDescriptor& result) {
    BackendDescriptor& function = graph_->add(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    function.set(CUDNN_ATTR_POINTWISE_MODE, mode);
    function.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT);
    if (mode == CUDNN_POINTWISE_RELU_FWD)
      function.set(CUDNN_ATTR_POINTWISE_NAN_PROPAGATION, CUDNN_PROPAGATE_NAN);
    function.finalize();
    BackendDescriptor& operation = graph_->add(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    operation.set_part(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, function);
    operation.set_part(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, first);
    if (second != nullptr) operation.set_part(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *second);
    operation.set_part(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, result);
    end(operation);
  }

  std::shared_ptr<const OperationGraph> finish() {
    BackendDescriptor& graph = graph_->graph.emplace(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, libraries_->cudnn());
    graph.set_parts(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations_);
    graph.finalize();
    return std::move(graph_);
  }

 private:
  void end(BackendDescriptor& operation) {
    operation.finalize();
    operations_.push_back(&operation);
  }

  const Libraries* libraries_;
  std::shared_ptr<OperationGraph> graph_ = std::make_shared<OperationGraph>();
  std::vector<const BackendDescriptor*> operations_;
};

std::shared_ptr<const OperationGraph> graph_of(const ConvolutionRequest& request, ConvolutionPass pass,
                                               Content content) {
  const ConvolutionShape& shape = request.shape;
  const Tensors tensors =
      tensors_of(shape, content == Content::wide ? CUDNN_DATA_FLOAT : cudnn_type(shape.input.element));
  GraphWriter writer(*request.libraries);
  if (pass == ConvolutionPass::backward_data) {
    writer.convolution(pass, shape, writer.tensor(result_id, tensors.input),
                       writer.tensor(first_id, tensors.filter), writer.tensor(second_id, tensors.output));
    return writer.finish();
  }
  const BackendDescriptor& input = writer.tensor(first_id, tensors.input);
  if (pass == ConvolutionPass::backward_filter) {
    writer.convolution(pass, shape, input, writer.tensor(result_id, tensors.filter),
                       writer.tensor(second_id, tensors.output));
    return writer.finish();
  }
  const BackendDescriptor& filter = writer.tensor(second_id, tensors.filter);
  const BackendDescriptor& result = writer.tensor(result_id, tensors.output);
  if (content == Content::convolution) {
    writer.convolution(pass, shape, input, filter, result);
    return writer.finish();
  }
  const BackendDescriptor& convolved = writer.between(convolved_id, tensors.output);
  writer.convolution(pass, shape, input, filter, convolved);
  const BackendDescriptor& biased = request.relu ? writer.between(biased_id, tensors.output) : result;
  const BackendDescriptor& bias = writer.tensor(bias_id, tensors.bias);
  writer.pointwise(CUDNN_POINTWISE_ADD, convolved, &bias, biased);
  if (request.relu) writer.pointwise(CUDNN_POINTWISE_RELU_FWD, biased, nullptr, result);
  return writer.finish();
}

std::optional<PreparedConvolution> prepared(const Libraries& libraries,
                                            const std::shared_ptr<const OperationGraph>& graph,
                                            const std::shared_ptr<const GraphEngine>& engine, bool with_bias,
                                            std::size_t limit) {
  const std::shared_ptr<ExecutionPlan> plan = ExecutionPlan::make(libraries, graph, engine);
  if (plan == nullptr || plan->workspace_bytes() > limit) return std::nullopt;
  return PreparedConvolution{.workspace_bytes = plan->workspace_bytes(),
                             .run = [plan, with_bias](const ConvolutionOperands& operands) {
                               std::vector<TensorPlace> tensors{{first_id, operands.first},
                                                                {second_id, operands.second},
                                                                {result_id, operands.result}};
                               if (with_bias) tensors.push_back({bias_id, operands.bias});
                               return plan->run(tensors, operands.workspace);
                             }};
}

void add_plans(std::vector<ConvolutionPlan>& plans, const ConvolutionRequest& request, ConvolutionPass pass,
               Content content, std::size_t most) {
  const std::shared_ptr<const OperationGraph> graph = graph_of(request, pass, content);
  const EngineRule rule{.deterministic = request.deterministic,
                        .tensor_cores = request.precision != Precision::fp32,
                        .most = most};
  const Element element = request.shape.input.element;
  const Element gradient = content == Content::wide ? Element::float32 : element;
  const bool filter = pass == ConvolutionPass::backward_filter;
  for (GraphEngine& offered : graph_engines(*graph, rule)) {
    const auto engine = std::make_shared<const GraphEngine>(std::move(offered));
    std::string name = engine->name;
    if (content == Content::with_bias) name += ", fused";
    if (content == Content::wide && element != Element::float32) name += ", float32";
    plans.push_back(
        {.name = std::move(name),
         .deterministic = engine->deterministic,
         .prepare =
             [libraries = request.libraries, graph, engine, with_bias = content == Content::with_bias,
              limit = request.shape.workspace_limit()] {
               return prepared(*libraries, graph, engine, with_bias, limit);
             },
         .leaves_bias = pass == ConvolutionPass::forward && content == Content::convolution,
         .gradient = gradient,
         .gradient_bytes = filter ? request.shape.filter_elements() * bytes_of(gradient) : 0,
         .gather = {}});
  }
}

}  // namespace

std::vector<ConvolutionPlan> graph_plans(const ConvolutionRequest& request, ConvolutionPass pass,
                                         std::size_t most) {
  std::vector<ConvolutionPlan> plans;
  if (pass == ConvolutionPass::forward) add_plans(plans, request, pass, Content::with_bias, most);
  if (pass == ConvolutionPass::backward_filter) add_plans(plans, request, pass, Content::wide, most);
  // Where maps are of float32, the wide gradient is the only one.
  if (pass != ConvolutionPass::backward_filter || request.shape.input.element != Element::float32)
    add_plans(plans, request, pass, Content::convolution, most);
  return plans;
}

}  // namespace convoy::cuda
