#include <utility>

#include "engine/cuda/convolution_plan.hpp"

namespace convoy::cuda {

namespace {

// How far, in bytes, the operands of a group are from those of the group before.
struct GroupSteps {
  std::size_t input = 0, output = 0, filter = 0, bias = 0;
};

GroupSteps group_steps(const ConvolutionShape& slice) {
  const auto step = [](const MapShape& map) {
    const std::size_t plane = map.layout == Layout::channels_last ? 1
                                                                  : static_cast<std::size_t>(map.height) *
                                                                        static_cast<std::size_t>(map.width);
    return plane * static_cast<std::size_t>(map.channels) * bytes_of(map.element);
  };
  return {.input = step(slice.input),
          .output = step(slice.output),
          .filter = slice.filter_bytes(),
          .bias = static_cast<std::size_t>(slice.output.channels) * bytes_of(slice.output.element)};
}

const void* moved(const void* data, std::size_t bytes) {
  return data == nullptr ? nullptr : static_cast<const std::byte*>(data) + bytes;
}
void* moved(void* data, std::size_t bytes) {
  return static_cast<std::byte*>(data) + bytes;
}

ConvolutionOperands of_group(const ConvolutionOperands& all, ConvolutionPass pass, const GroupSteps& steps,
                             std::size_t gradient_step, std::size_t group) {
  ConvolutionOperands one = all;
  switch (pass) {
    case ConvolutionPass::forward:
      one.first = moved(all.first, group * steps.input);
      one.second = moved(all.second, group * steps.filter);
      one.bias = moved(all.bias, group * steps.bias);
      one.result = moved(all.result, group * steps.output);
      break;
    case ConvolutionPass::backward_data:
      one.first = moved(all.first, group * steps.filter);
      one.second = moved(all.second, group * steps.output);
      one.result = moved(all.result, group * steps.input);
      break;
    case ConvolutionPass::backward_filter:
      one.first = moved(all.first, group * steps.input);
      one.second = moved(all.second, group * steps.output);
      one.result = moved(all.result, group * gradient_step);
      break;
  }
  return one;
}

}  // namespace

std::vector<ConvolutionPlan> slice_plans(const ConvolutionRequest& request, ConvolutionPass pass,
                                         const PlanMaker& make) {
  ConvolutionRequest slice = request;
  const int groups = request.shape.groups;
  slice.shape.groups = 1;
  slice.shape.slices = groups;
  slice.shape.input.channels /= groups;
  slice.shape.output.channels /= groups;
  std::vector<ConvolutionPlan> plans = make(slice, pass);
  for (ConvolutionPlan& plan : plans) {
    plan.name = "slices, " + plan.name;
    const std::size_t gradient_step = plan.gradient_bytes;
    plan.gradient_bytes *= static_cast<std::size_t>(groups);
    wrap(plan, 0,
         [pass, groups, gradient_step, steps = group_steps(slice.shape)](
             const RunConvolution& inner, const ConvolutionOperands& operands, void*) {
           for (int group = 0; group < groups; ++group) {
             const cudnnStatus_t status =
                 inner(of_group(operands, pass, steps, gradient_step, static_cast<std::size_t>(group)));
             if (status != CUDNN_STATUS_SUCCESS) return status;
           }
           return CUDNN_STATUS_SUCCESS;
         });
  }
  return plans;
}

}  // namespace convoy::cuda
