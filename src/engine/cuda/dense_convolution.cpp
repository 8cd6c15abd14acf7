#include <utility>

#include "engine/cuda/convolution_plan.hpp"
#include "engine/cuda/kernels.hpp"

namespace convoy::cuda {

namespace {

FilterGroups filter_groups(const ConvolutionShape& shape) {
  const int places = shape.kernel * shape.kernel, channels = shape.input.channels / shape.groups;
  const bool last = shape.input.layout == Layout::channels_last;
  return {.filters = shape.output.channels,
          .groups = shape.groups,
          .runs = last ? places : 1,
          .run_length = last ? channels : channels * places};
}

}  // namespace

std::vector<ConvolutionPlan> dense_plans(const ConvolutionRequest& request, ConvolutionPass pass,
                                         const PlanMaker& make) {
  ConvolutionRequest dense = request;
  dense.shape.groups = 1;
  const FilterGroups groups = filter_groups(request.shape);
  const cudaStream_t stream = request.libraries->stream();
  std::vector<ConvolutionPlan> plans = make(dense, pass);
  for (ConvolutionPlan& plan : plans) {
    plan.name = "dense, " + plan.name;
    if (pass == ConvolutionPass::backward_filter) {
      plan.gather = [stream, groups](const void* values, Element element, bool add, float* gradient) {
        gather_filter(stream, values, groups, element, add, gradient);
      };
      continue;
    }
    wrap(plan, dense.shape.filter_bytes(),
         [stream, groups, pass, element = request.shape.input.element](
             const RunConvolution& inner, const ConvolutionOperands& operands, void* filter) {
           ConvolutionOperands changed = operands;
           const void*& grouped = pass == ConvolutionPass::forward ? changed.second : changed.first;
           expand_filter(stream, grouped, groups, element, filter);
           grouped = filter;
           return inner(changed);
         });
  }
  return plans;
}

}  // namespace convoy::cuda
