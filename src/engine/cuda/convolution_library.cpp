#include "engine/cuda/convolution_library.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/error.hpp"
#include "engine/cuda/device_bench.hpp"

namespace convoy::cuda {

std::size_t ConvolutionShape::filter_bytes() const {
  return static_cast<std::size_t>(output.channels) * static_cast<std::size_t>(input.channels / groups) *
         static_cast<std::size_t>(kernel) * static_cast<std::size_t>(kernel) * bytes_of(input.element);
}

// An algorithm on tensor cores copies an input of 3 channels to one of 8, and may convert both maps. With a
// limit of the operands' size, on an H200, conv1's backward pass took 4.1 ms for 384 images where it took 1.0
// for 256, whose padded copy was within the limit.
std::size_t ConvolutionShape::workspace_limit() const {
  constexpr std::size_t least = std::size_t{256} << 20;
  constexpr int channels_of_tensor_cores = 8;
  const auto padded_bytes = [&](const MapShape& map) {
    const int group = map.channels / groups;
    const int padded =
        (group + channels_of_tensor_cores - 1) / channels_of_tensor_cores * channels_of_tensor_cores;
    return map.bytes() / static_cast<std::size_t>(group) * static_cast<std::size_t>(padded);
  };
  return least + 2 * (padded_bytes(input) + padded_bytes(output) + filter_bytes());
}

LibraryConvolution::LibraryConvolution(const Libraries& libraries, std::string name,
                                       const ConvolutionShape& shape, Precision precision, bool relu)
    : libraries_(&libraries), name_(std::move(name)), shape_(shape), precision_(precision), relu_(relu) {
  // Refuses a map that the library cannot describe now, not when plans are chosen.
  describe(shape.input);
  describe(shape.output);
}

std::vector<ConvolutionPlan> LibraryConvolution::plans(ConvolutionPass pass, bool deterministic) const {
  const ConvolutionRequest request{.libraries = libraries_,
                                   .shape = shape_,
                                   .precision = precision_,
                                   .relu = relu_,
                                   .deterministic = deterministic};
  std::vector<ConvolutionPlan> grouped = legacy_plans(request, pass);
  if (shape_.groups == 1) return grouped;
  std::vector<ConvolutionPlan> dense = dense_plans(request, pass);
  // On tensor cores the dense form is the faster one; full float32 pays for each product with a zero.
  const bool dense_first = precision_ != Precision::fp32;
  std::vector<ConvolutionPlan>& first = dense_first ? dense : grouped;
  std::vector<ConvolutionPlan>& second = dense_first ? grouped : dense;
  first.insert(first.end(), std::make_move_iterator(second.begin()), std::make_move_iterator(second.end()));
  return std::move(first);
}

std::string LibraryConvolution::title(ConvolutionPass pass) const {
  if (pass == ConvolutionPass::forward) return name_ + ", forward";
  return name_ + (pass == ConvolutionPass::backward_data ? ", gradient of inputs" : ", gradient of weights");
}

std::string LibraryConvolution::key(ConvolutionPass pass) const {
  const char* const kind = pass == ConvolutionPass::forward         ? (relu_ ? "forward relu" : "forward")
                           : pass == ConvolutionPass::backward_data ? "backward data"
                                                                    : "backward filter";
  return fmt::format(
      "cuda convolution {} {} {}x{}x{}x{} to {}x{}x{} kernel {} stride {} padding {} groups {}", kind,
      word_of(precision_words(), precision_), shape_.input.rows, shape_.input.channels, shape_.input.height,
      shape_.input.width, shape_.output.channels, shape_.output.height, shape_.output.width, shape_.kernel,
      shape_.stride, shape_.padding, shape_.groups);
}

void LibraryConvolution::choose(Tuner& tuner, const ConvolutionRule& rule,
                                const ConvolutionScratch& scratch) {
  forward_ = ask(tuner, ConvolutionPass::forward, rule.deterministic, scratch);
  if (!rule.training) return;
  if (input_gradient_)
    backward_data_ = ask(tuner, ConvolutionPass::backward_data, rule.deterministic, scratch);
  backward_filter_ = ask(tuner, ConvolutionPass::backward_filter, rule.deterministic, scratch);
}

ConvolutionPlan LibraryConvolution::ask(Tuner& tuner, ConvolutionPass pass, bool deterministic,
                                        const ConvolutionScratch& scratch) const {
  const Element element = shape_.input.element;
  const TrialOperand input{scratch.input, shape_.input.bytes(), element};
  const TrialOperand output{scratch.output, shape_.output.bytes(), element};
  const TrialOperand filter{scratch.filter, filter_bytes(), element};
  // The bias is taken from the beginning of the filter, which has at least as many elements.
  ConvolutionOperands operands{
      .first = input.data, .second = filter.data, .bias = filter.data, .result = output.data};
  DeviceBench bench(libraries_->stream(), {input, filter}, output);
  TrialOperand result = output;
  if (pass == ConvolutionPass::backward_data) {
    operands = {.first = filter.data, .second = output.data, .result = input.data};
    bench = DeviceBench(libraries_->stream(), {filter, output}, result = input);
  } else if (pass == ConvolutionPass::backward_filter) {
    operands = {.first = input.data, .second = output.data, .result = filter.data};
    bench = DeviceBench(libraries_->stream(), {input, output}, result = filter);
  }
  std::vector<ConvolutionPlan> plans = this->plans(pass, deterministic);
  Question question{.what = title(pass),
                    .key = key(pass),
                    .tolerance = result_tolerance(precision_, result.element),
                    .candidates = {}};
  if (plans.empty()) {
    fail(ExitCode::device, "cuDNN has no {}algorithm for {} within {} MiB of workspace",
         deterministic ? "deterministic " : "", question.what, workspace_limit() >> 20);
  }
  for (const ConvolutionPlan& plan : plans) {
    question.candidates.push_back({.name = plan.name,
                                   .run =
                                       [&plan, &question, &scratch, &operands] {
                                         operands.workspace = scratch.workspace(plan.workspace_bytes);
                                         if (operands.workspace == nullptr && plan.workspace_bytes > 0)
                                           return false;
                                         const cudnnStatus_t status = plan.run(operands);
                                         // It says in many ways that it does not serve this; a device that
                                         // fails is another matter.
                                         if (CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_EXECUTION_FAILED)
                                           check(status, question.what.c_str());
                                         return status == CUDNN_STATUS_SUCCESS;
                                       },
                                   .deterministic = plan.deterministic});
  }
  return std::move(plans[tuner.choose(question, bench)]);
}

std::size_t LibraryConvolution::workspace_bytes() const {
  return std::max(
      {forward_.workspace_bytes, backward_data_.workspace_bytes, backward_filter_.workspace_bytes});
}

void LibraryConvolution::run(const ConvolutionPlan& plan, ConvolutionPass pass,
                             const ConvolutionOperands& operands) const {
  const cudnnStatus_t status = plan.run(operands);
  if (status != CUDNN_STATUS_SUCCESS) check(status, (title(pass) + " by " + plan.name).c_str());
}

void LibraryConvolution::forward(const void* input, const void* filter, const void* bias, void* output,
                                 void* workspace) const {
  run(forward_, ConvolutionPass::forward,
      {.first = input, .second = filter, .bias = bias, .result = output, .workspace = workspace});
}

void LibraryConvolution::backward_data(const void* filter, const void* output_gradient, void* input_gradient,
                                       void* workspace) const {
  run(backward_data_, ConvolutionPass::backward_data,
      {.first = filter, .second = output_gradient, .result = input_gradient, .workspace = workspace});
}

void LibraryConvolution::backward_filter(const void* input, const void* output_gradient,
                                         void* filter_gradient, bool add, void* workspace) const {
  run(backward_filter_, ConvolutionPass::backward_filter,
      {.first = input,
       .second = output_gradient,
       .result = filter_gradient,
       .add = add,
       .workspace = workspace});
}

}  // namespace convoy::cuda
