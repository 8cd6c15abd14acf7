#include <utility>

#include "engine/cuda/convolution_plan.hpp"
#include "engine/cuda/kernels.hpp"

namespace convoy::cuda {

namespace {

constexpr std::size_t alignment = 512;

FilterGroups filter_groups(const ConvolutionShape& shape) {
  const int places = shape.kernel * shape.kernel, channels = shape.input.channels / shape.groups;
  const bool last = shape.input.layout == Layout::channels_last;
  return {.filters = shape.output.channels,
          .groups = shape.groups,
          .runs = last ? places : 1,
          .run_length = last ? channels : channels * places,
          .element = shape.input.element};
}

}  // namespace

std::vector<ConvolutionPlan> dense_plans(const ConvolutionRequest& request, ConvolutionPass pass) {
  ConvolutionRequest dense = request;
  dense.shape.groups = 1;
  const FilterGroups groups = filter_groups(request.shape);
  const std::size_t own_bytes = (dense.shape.filter_bytes() + alignment - 1) / alignment * alignment;
  std::vector<ConvolutionPlan> plans = legacy_plans(dense, pass);
  constexpr std::size_t most_tried = 6;  // beside the grouped ones
  if (!request.deterministic && plans.size() > most_tried) plans.resize(most_tried);
  for (ConvolutionPlan& plan : plans) {
    plan.name = "dense, " + plan.name;
    plan.workspace_bytes += own_bytes;
    plan.run = [inner = std::move(plan.run), stream = request.libraries->stream(), groups, own_bytes,
                pass](const ConvolutionOperands& operands) {
      // The dense filter, or its gradient, lies before the library's own workspace.
      void* const filter = operands.workspace;
      ConvolutionOperands changed = operands;
      changed.workspace = static_cast<std::byte*>(operands.workspace) + own_bytes;
      if (pass == ConvolutionPass::backward_filter) {
        changed.result = filter;
        changed.add = false;
        const cudnnStatus_t status = inner(changed);
        if (status == CUDNN_STATUS_SUCCESS)
          gather_filter(stream, filter, groups, operands.add, operands.result);
        return status;
      }
      const void*& grouped = pass == ConvolutionPass::forward ? changed.second : changed.first;
      expand_filter(stream, grouped, groups, filter);
      grouped = filter;
      return inner(changed);
    };
  }
  return plans;
}

}  // namespace convoy::cuda
