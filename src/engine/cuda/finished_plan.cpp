#include <cstdint>
#include <utility>

#include "base/error.hpp"
#include "engine/cuda/convolution_plan.hpp"
#include "engine/cuda/kernels.hpp"

namespace convoy::cuda {

namespace {

constexpr std::size_t alignment = 512;

// To a gradient of the same places.
GatherGradient place_for_place(cudaStream_t stream, std::size_t elements) {
  return [stream, elements](const void* values, Element element, bool add, float* gradient) {
    if (element != Element::float32) {
      from_narrow(stream, values, element, gradient, add, elements);
      return;
    }
    const FilterGroups one{.filters = 1, .run_length = static_cast<int>(elements)};
    gather_filter(stream, values, one, Element::float32, add, gradient);
  };
}

ConvolutionPlan with_bias(ConvolutionPlan plan, const ConvolutionRequest& request) {
  if (!plan.leaves_bias) return plan;
  wrap(plan, 0,
       [stream = request.libraries->stream(), relu = request.relu, output = request.shape.output](
           const RunConvolution& inner, const ConvolutionOperands& operands, void*) {
         const cudnnStatus_t status = inner(operands);
         if (status == CUDNN_STATUS_SUCCESS) add_bias(stream, operands.result, operands.bias, relu, output);
         return status;
       });
  return plan;
}

ConvolutionPlan with_gradient(ConvolutionPlan plan, const ConvolutionRequest& request,
                              GatherGradient gather) {
  ensure(!plan.gather || !gather, "a filter's gradient is gathered once");
  if (plan.gather) gather = std::move(plan.gather);
  const bool in_place = !gather && plan.gradient == Element::float32;
  if (!gather)
    gather = place_for_place(request.libraries->stream(), plan.gradient_bytes / bytes_of(plan.gradient));
  wrap(plan, plan.gradient_bytes,
       [gather = std::move(gather), element = plan.gradient, in_place](
           const RunConvolution& inner, const ConvolutionOperands& operands, void* own) {
         if (in_place && !operands.add) return inner(operands);
         ConvolutionOperands changed = operands;
         changed.result = own;
         const cudnnStatus_t status = inner(changed);
         if (status == CUDNN_STATUS_SUCCESS)
           gather(own, element, operands.add, static_cast<float*>(operands.result));
         return status;
       });
  return plan;
}

}  // namespace

ConvolutionPlan finished(ConvolutionPlan plan, const ConvolutionRequest& request, ConvolutionPass pass,
                         const GatherGradient& gather) {
  if (pass == ConvolutionPass::forward) return with_bias(std::move(plan), request);
  if (pass == ConvolutionPass::backward_filter) return with_gradient(std::move(plan), request, gather);
  return plan;
}

void wrap(ConvolutionPlan& plan, std::size_t bytes, WrappedRun run) {
  const std::size_t own_bytes = (bytes + alignment - 1) / alignment * alignment;
  plan.prepare = [inner = std::move(plan.prepare), own_bytes,
                  run = std::move(run)]() -> std::optional<PreparedConvolution> {
    std::optional<PreparedConvolution> prepared = inner();
    if (!prepared) return std::nullopt;
    return PreparedConvolution{
        .workspace_bytes = own_bytes + prepared->workspace_bytes,
        .run = [inner = std::move(prepared->run), own_bytes, run](const ConvolutionOperands& operands) {
          ConvolutionOperands changed = operands;
          if (operands.workspace != nullptr)
            changed.workspace = static_cast<std::byte*>(operands.workspace) + own_bytes;
          return run(inner, changed, operands.workspace);
        }};
  };
}

}  // namespace convoy::cuda
