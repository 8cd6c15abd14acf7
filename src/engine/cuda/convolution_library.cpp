#include "engine/cuda/convolution_library.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.hpp"
#include "engine/cuda/algorithm_choice.hpp"
#include "engine/cuda/kernels.hpp"
#include "engine/cuda/trial.hpp"

namespace convoy::cuda {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ConvolutionChoice, forward, forward_math, backward_data,
                                   backward_data_math, backward_filter, backward_filter_math, fused_bytes,
                                   fused)

namespace {

constexpr float one = 1, zero = 0;

// The fixed orders of --deterministic: matrix products first, whose sums run in the order of the sum that
// defines a convolution; the others only where those do not serve.
constexpr std::array forward_order{CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM,
                                   CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM,
                                   CUDNN_CONVOLUTION_FWD_ALGO_GEMM,
                                   CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED,
                                   CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD,
                                   CUDNN_CONVOLUTION_FWD_ALGO_FFT_TILING,
                                   CUDNN_CONVOLUTION_FWD_ALGO_FFT};
constexpr std::array data_order{
    CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED,
    CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD, CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT_TILING,
    CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT};
constexpr std::array filter_order{
    CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED,
    CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT_TILING, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT};

ConvolutionDescriptor describe_convolution(const ConvolutionShape& shape) {
  cudnnConvolutionDescriptor_t descriptor = nullptr;
  check(cudnnCreateConvolutionDescriptor(&descriptor), "a convolution descriptor");
  ConvolutionDescriptor owner(descriptor);
  check(cudnnSetConvolution2dDescriptor(descriptor, shape.padding, shape.padding, shape.stride, shape.stride,
                                        1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
        "a convolution");
  check(cudnnSetConvolutionGroupCount(descriptor, shape.groups), "a convolution's groups");
  return owner;
}

}  // namespace

LibraryConvolution::LibraryConvolution(const Libraries& libraries, std::string name,
                                       const ConvolutionShape& shape, Precision precision, bool relu)
    : libraries_(&libraries),
      name_(std::move(name)),
      shape_(shape),
      precision_(precision),
      relu_(relu),
      input_(describe(shape.input)),
      output_(describe(shape.output)),
      forward_(describe_convolution(shape)),
      backward_data_(describe_convolution(shape)),
      backward_filter_(describe_convolution(shape)) {
  MapShape bias = shape.output;
  bias.rows = bias.height = bias.width = 1;
  bias_ = describe(bias);
  cudnnFilterDescriptor_t filter = nullptr;
  check(cudnnCreateFilterDescriptor(&filter), "a filter descriptor");
  filter_.reset(filter);
  check(cudnnSetFilter4dDescriptor(filter, cudnn_type(shape.input.element), cudnn_format(shape.input.layout),
                                   shape.output.channels, shape.input.channels / shape.groups, shape.kernel,
                                   shape.kernel),
        "a filter");
  cudnnActivationDescriptor_t activation = nullptr;
  check(cudnnCreateActivationDescriptor(&activation), "an activation descriptor");
  activation_.reset(activation);
  check(cudnnSetActivationDescriptor(activation, relu ? CUDNN_ACTIVATION_RELU : CUDNN_ACTIVATION_IDENTITY,
                                     CUDNN_NOT_PROPAGATE_NAN, 0),
        "an activation");
  const int math = precision == Precision::fp32 ? CUDNN_FMA_MATH : CUDNN_TENSOR_OP_MATH;
  choice_.forward_math = choice_.backward_data_math = choice_.backward_filter_math = math;
  set_math();
}

std::size_t LibraryConvolution::filter_bytes() const {
  return static_cast<std::size_t>(shape_.output.channels) *
         static_cast<std::size_t>(shape_.input.channels / shape_.groups) *
         static_cast<std::size_t>(shape_.kernel) * static_cast<std::size_t>(shape_.kernel) *
         bytes_of(shape_.input.element);
}

void LibraryConvolution::set_math() {
  const auto set = [&](const ConvolutionDescriptor& descriptor, int math) {
    check(cudnnSetConvolutionMathType(descriptor.get(), static_cast<cudnnMathType_t>(math)),
          "a convolution's arithmetic");
  };
  set(forward_, choice_.forward_math);
  set(backward_data_, choice_.backward_data_math);
  set(backward_filter_, choice_.backward_filter_math);
}

// An algorithm on tensor cores copies an input of 3 channels to one of 8, and may convert both maps. With a
// limit of the operands' size, on an H200, conv1's backward pass took 4.1 ms for 384 images where it took 1.0
// for 256, whose padded copy was within the limit.
std::size_t LibraryConvolution::workspace_limit() const {
  constexpr std::size_t least = std::size_t{256} << 20;
  constexpr int channels_of_tensor_cores = 8;
  const auto padded_bytes = [&](const MapShape& map) {
    const int group = map.channels / shape_.groups;
    const int padded =
        (group + channels_of_tensor_cores - 1) / channels_of_tensor_cores * channels_of_tensor_cores;
    return map.bytes() / static_cast<std::size_t>(group) * static_cast<std::size_t>(padded);
  };
  return least + 2 * (padded_bytes(shape_.input) + padded_bytes(shape_.output) + filter_bytes());
}

// What trial runs may take of it: no more than there is to run them on.
std::size_t LibraryConvolution::workspace_limit(const ConvolutionRule& rule,
                                                const ConvolutionScratch& scratch) const {
  return rule.deterministic ? workspace_limit() : std::min(workspace_limit(), scratch.workspace_bytes);
}

// fp32 stays with full float32 whatever a list says.
void LibraryConvolution::take_math(int& mine, cudnnMathType_t listed) {
  if (precision_ == Precision::fp32) return;
  mine = listed;
  set_math();
}

void LibraryConvolution::choose(const ConvolutionRule& rule, const ConvolutionScratch& scratch) {
  training_ = rule.training;
  deterministic_ = rule.deterministic;
  choose_forward(rule, scratch);
  if (training_ && input_gradient_) choose_backward_data(rule, scratch);
  if (training_) choose_backward_filter(rule, scratch);
  accept(choice());
}

void LibraryConvolution::choose_forward(const ConvolutionRule& rule, const ConvolutionScratch& scratch) {
  using Found = cudnnConvolutionFwdAlgoPerf_t;
  const Wanted wanted{.what = "convolution " + name_,
                      // The fused call without ReLU exists for the first algorithm of the fixed order alone.
                      .deterministic = rule.deterministic || !relu_,
                      .full_float32 = precision_ == Precision::fp32,
                      .workspace_limit = workspace_limit(rule, scratch),
                      .stream = libraries_->stream()};
  const auto found = choose_one<Found>(
      wanted, forward_order,
      [&](int longest, int* returned, Found* list) {
        return cudnnGetConvolutionForwardAlgorithm_v7(libraries_->cudnn(), input_.get(), filter_.get(),
                                                      forward_.get(), output_.get(), longest, returned, list);
      },
      [&](const Found& one_of_list, std::size_t& bytes) {
        take_math(choice_.forward_math, one_of_list.mathType);
        return ask_forward_workspace(one_of_list.algo, bytes);
      },
      [&](const Found& candidate, std::size_t bytes) {
        return cudnnConvolutionForward(libraries_->cudnn(), &one, input_.get(), scratch.input, filter_.get(),
                                       scratch.filter, forward_.get(), candidate.algo, scratch.workspace,
                                       bytes, &zero, output_.get(), scratch.output);
      });
  choice_.forward = found.algo;
  take_math(choice_.forward_math, found.mathType);
}

void LibraryConvolution::choose_backward_data(const ConvolutionRule& rule,
                                              const ConvolutionScratch& scratch) {
  using Found = cudnnConvolutionBwdDataAlgoPerf_t;
  const Wanted wanted{.what = "the input gradient of convolution " + name_,
                      .deterministic = rule.deterministic,
                      .full_float32 = precision_ == Precision::fp32,
                      .workspace_limit = workspace_limit(rule, scratch),
                      .stream = libraries_->stream()};
  const auto found = choose_one<Found>(
      wanted, data_order,
      [&](int longest, int* returned, Found* list) {
        return cudnnGetConvolutionBackwardDataAlgorithm_v7(libraries_->cudnn(), filter_.get(), output_.get(),
                                                           backward_data_.get(), input_.get(), longest,
                                                           returned, list);
      },
      [&](const Found& one_of_list, std::size_t& bytes) {
        take_math(choice_.backward_data_math, one_of_list.mathType);
        return ask_data_workspace(one_of_list.algo, bytes);
      },
      [&](const Found& candidate, std::size_t bytes) {
        return cudnnConvolutionBackwardData(libraries_->cudnn(), &one, filter_.get(), scratch.filter,
                                            output_.get(), scratch.output, backward_data_.get(),
                                            candidate.algo, scratch.workspace, bytes, &zero, input_.get(),
                                            scratch.input);
      });
  choice_.backward_data = found.algo;
  take_math(choice_.backward_data_math, found.mathType);
}

void LibraryConvolution::choose_backward_filter(const ConvolutionRule& rule,
                                                const ConvolutionScratch& scratch) {
  using Found = cudnnConvolutionBwdFilterAlgoPerf_t;
  const Wanted wanted{.what = "the filter gradient of convolution " + name_,
                      .deterministic = rule.deterministic,
                      .full_float32 = precision_ == Precision::fp32,
                      .workspace_limit = workspace_limit(rule, scratch),
                      .stream = libraries_->stream()};
  const auto found = choose_one<Found>(
      wanted, filter_order,
      [&](int longest, int* returned, Found* list) {
        return cudnnGetConvolutionBackwardFilterAlgorithm_v7(libraries_->cudnn(), input_.get(), output_.get(),
                                                             backward_filter_.get(), filter_.get(), longest,
                                                             returned, list);
      },
      [&](const Found& one_of_list, std::size_t& bytes) {
        take_math(choice_.backward_filter_math, one_of_list.mathType);
        return ask_filter_workspace(one_of_list.algo, bytes);
      },
      [&](const Found& candidate, std::size_t bytes) {
        return cudnnConvolutionBackwardFilter(libraries_->cudnn(), &one, input_.get(), scratch.input,
                                              output_.get(), scratch.output, backward_filter_.get(),
                                              candidate.algo, scratch.workspace, bytes, &zero, filter_.get(),
                                              scratch.filter);
      });
  choice_.backward_filter = found.algo;
  take_math(choice_.backward_filter_math, found.mathType);
}

// Which types and layouts the fused call serves differs between versions and is not to be asked: one call
// tells. Where it is served it may still be the slower one: on an H200 it took 1.34 ms for conv5 of `alexnet`
// (two groups, bf16, batch 256), the convolution alone 0.51.
void LibraryConvolution::try_fused(const ConvolutionScratch& scratch) {
  if (!serves_fused(scratch) || deterministic_ || !relu_) return;
  const cudaStream_t stream = libraries_->stream();
  const auto fused = trial_milliseconds(stream, [&] {
    return forward_fused(scratch.input, scratch.filter, scratch.filter, scratch.output, scratch.workspace,
                         choice_.fused_bytes) == CUDNN_STATUS_SUCCESS;
  });
  const auto apart = trial_milliseconds(stream, [&] {
    forward_plain(scratch.input, scratch.filter, scratch.output, scratch.workspace);
    add_bias(stream, scratch.output, scratch.filter, true, shape_.output);
    return true;
  });
  if (fused && *fused <= *apart) return;
  choice_.fused = 0;
  choice_.fused_bytes = 0;
}

bool LibraryConvolution::serves_fused(const ConvolutionScratch& scratch) {
  if (!relu_ && choice_.forward != CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM) {
    choice_.fused = 0;
    return false;
  }
  // The call has a plan of its own, whose workspace is not to be asked either: the convolution's, or else all
  // there is. The bias is taken from the beginning of the filter: contents do not matter, and a filter has at
  // least as many elements.
  for (const std::size_t bytes : {forward_bytes_, std::min(scratch.workspace_bytes, workspace_limit())}) {
    const cudnnStatus_t status = forward_fused(scratch.input, scratch.filter, scratch.filter, scratch.output,
                                               scratch.workspace, bytes);
    choice_.fused = status == CUDNN_STATUS_SUCCESS ? 1 : 0;
    choice_.fused_bytes = choice_.fused != 0 ? bytes : 0;
    if (choice_.fused != 0) return true;
    // It says in many ways that it does not serve this; a device that fails is another matter.
    if (CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_EXECUTION_FAILED) {
      check(status, ("convolution " + name_).c_str());
    }
  }
  return false;
}

std::string LibraryConvolution::choice() const {
  return nlohmann::json(choice_).dump();
}

void LibraryConvolution::accept(std::string_view text) {
  try {
    choice_ = nlohmann::json::parse(text).get<ConvolutionChoice>();
  } catch (const nlohmann::json::exception&) {
    fail(ExitCode::device,
         "rank 0 chose \"{}\" for convolution {}, which names no algorithms: do all ranks "
         "run the same version?",
         text, name_);
  }
  set_math();
  check(ask_forward_workspace(choice_.forward, forward_bytes_),
        ("the workspace of convolution " + name_).c_str());
  if (!training_) return;
  if (input_gradient_) {
    check(ask_data_workspace(choice_.backward_data, data_bytes_),
          ("the workspace of the input gradient of convolution " + name_).c_str());
  }
  check(ask_filter_workspace(choice_.backward_filter, filter_workspace_bytes_),
        ("the workspace of the filter gradient of convolution " + name_).c_str());
}

cudnnStatus_t LibraryConvolution::ask_forward_workspace(int algorithm, std::size_t& bytes) const {
  return cudnnGetConvolutionForwardWorkspaceSize(libraries_->cudnn(), input_.get(), filter_.get(),
                                                 forward_.get(), output_.get(),
                                                 static_cast<cudnnConvolutionFwdAlgo_t>(algorithm), &bytes);
}

cudnnStatus_t LibraryConvolution::ask_data_workspace(int algorithm, std::size_t& bytes) const {
  return cudnnGetConvolutionBackwardDataWorkspaceSize(
      libraries_->cudnn(), filter_.get(), output_.get(), backward_data_.get(), input_.get(),
      static_cast<cudnnConvolutionBwdDataAlgo_t>(algorithm), &bytes);
}

cudnnStatus_t LibraryConvolution::ask_filter_workspace(int algorithm, std::size_t& bytes) const {
  return cudnnGetConvolutionBackwardFilterWorkspaceSize(
      libraries_->cudnn(), input_.get(), output_.get(), backward_filter_.get(), filter_.get(),
      static_cast<cudnnConvolutionBwdFilterAlgo_t>(algorithm), &bytes);
}

std::size_t LibraryConvolution::workspace_bytes() const {
  return std::max({forward_bytes_, choice_.fused_bytes, data_bytes_, filter_workspace_bytes_});
}

cudnnStatus_t LibraryConvolution::forward_fused(const void* input, const void* filter, const void* bias,
                                                void* output, void* workspace, std::size_t bytes) const {
  // The fourth operand (scaled by 0) is not read.
  return cudnnConvolutionBiasActivationForward(
      libraries_->cudnn(), &one, input_.get(), input, filter_.get(), filter, forward_.get(),
      static_cast<cudnnConvolutionFwdAlgo_t>(choice_.forward), workspace, bytes, &zero, output_.get(), output,
      bias_.get(), bias, activation_.get(), output_.get(), output);
}

void LibraryConvolution::forward(const void* input, const void* filter, const void* bias, void* output,
                                 void* workspace) const {
  if (choice_.fused != 0) {
    check(forward_fused(input, filter, bias, output, workspace, choice_.fused_bytes),
          ("convolution " + name_).c_str());
    return;
  }
  forward_plain(input, filter, output, workspace);
  add_bias(libraries_->stream(), output, bias, relu_, shape_.output);
}

void LibraryConvolution::forward_plain(const void* input, const void* filter, void* output,
                                       void* workspace) const {
  check(cudnnConvolutionForward(libraries_->cudnn(), &one, input_.get(), input, filter_.get(), filter,
                                forward_.get(), static_cast<cudnnConvolutionFwdAlgo_t>(choice_.forward),
                                workspace, forward_bytes_, &zero, output_.get(), output),
        ("convolution " + name_).c_str());
}

void LibraryConvolution::backward_data(const void* filter, const void* output_gradient, void* input_gradient,
                                       void* workspace) const {
  check(cudnnConvolutionBackwardData(libraries_->cudnn(), &one, filter_.get(), filter, output_.get(),
                                     output_gradient, backward_data_.get(),
                                     static_cast<cudnnConvolutionBwdDataAlgo_t>(choice_.backward_data),
                                     workspace, data_bytes_, &zero, input_.get(), input_gradient),
        ("the input gradient of convolution " + name_).c_str());
}

void LibraryConvolution::backward_filter(const void* input, const void* output_gradient,
                                         void* filter_gradient, bool add, void* workspace) const {
  check(cudnnConvolutionBackwardFilter(
            libraries_->cudnn(), &one, input_.get(), input, output_.get(), output_gradient,
            backward_filter_.get(), static_cast<cudnnConvolutionBwdFilterAlgo_t>(choice_.backward_filter),
            workspace, filter_workspace_bytes_, add ? &one : &zero, filter_.get(), filter_gradient),
        ("the filter gradient of convolution " + name_).c_str());
}

}  // namespace convoy::cuda
