#include "engine/cuda/convolution_library.hpp"

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "engine/cuda/kernels.hpp"

namespace convoy::cuda {

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

// Whether a found algorithm is one at all, within the workspace and in the right arithmetic: full float32
// never on tensor cores.
template <typename Found>
bool serves(const Found& found, const ConvolutionRule& rule, bool full_float32) {
  const bool tensor_cores =
      found.mathType == CUDNN_TENSOR_OP_MATH || found.mathType == CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION;
  return found.status == CUDNN_STATUS_SUCCESS && found.memory <= rule.workspace_limit &&
         !(full_float32 && tensor_cores);
}

// The first of `order` that the list serves deterministically. An algorithm may be listed once for each kind
// of arithmetic, the faster first.
template <typename Found, typename Order>
const Found* by_rule(const std::vector<Found>& list, const Order& order, const ConvolutionRule& rule,
                     bool full_float32) {
  for (const auto algorithm : order) {
    for (const Found& found : list) {
      if (found.algo == algorithm && serves(found, rule, full_float32) &&
          found.determinism == CUDNN_DETERMINISTIC) {
        return &found;
      }
    }
  }
  return nullptr;
}

// Measured lists are ordered by time.
template <typename Found>
const Found* fastest(const std::vector<Found>& list, const ConvolutionRule& rule, bool full_float32) {
  for (const Found& found : list) {
    if (serves(found, rule, full_float32)) return &found;
  }
  return nullptr;
}

// An algorithm for one direction. `listed` and `measured` fill a list of at most the given length.
template <typename Found, typename Order, typename Listed, typename Measured>
Found choose_one(const ConvolutionRule& rule, bool full_float32, const Order& order, const std::string& what,
                 Listed&& listed, Measured&& measured) {
  constexpr int longest = 32;
  std::vector<Found> list(longest);
  int returned = 0;
  if (rule.deterministic) {
    check(listed(longest, &returned, list.data()), what.c_str());
  } else {
    check(measured(longest, &returned, list.data()), what.c_str());
  }
  list.resize(static_cast<std::size_t>(returned));
  const Found* found =
      rule.deterministic ? by_rule(list, order, rule, full_float32) : fastest(list, rule, full_float32);
  if (found == nullptr) {
    fail(ExitCode::device, "cuDNN has no {}algorithm for {} within {} MiB of workspace",
         rule.deterministic ? "deterministic " : "", what, rule.workspace_limit >> 20);
  }
  return *found;
}

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

void LibraryConvolution::choose(const ConvolutionRule& rule, const ConvolutionScratch& scratch) {
  training_ = rule.training;
  choose_forward(rule, scratch);
  if (training_) choose_backward(rule, scratch);
  accept(choice());
}

void LibraryConvolution::choose_forward(const ConvolutionRule& rule, const ConvolutionScratch& scratch) {
  using Found = cudnnConvolutionFwdAlgoPerf_t;
  ConvolutionRule forward_rule = rule;
  // The fused call without ReLU exists for the first algorithm of the fixed order alone.
  forward_rule.deterministic = rule.deterministic || !relu_;
  const auto found = choose_one<Found>(
      forward_rule, precision_ == Precision::fp32, forward_order, "convolution " + name_,
      [&](int longest, int* returned, Found* list) {
        return cudnnGetConvolutionForwardAlgorithm_v7(libraries_->cudnn(), input_.get(), filter_.get(),
                                                      forward_.get(), output_.get(), longest, returned, list);
      },
      [&](int longest, int* returned, Found* list) {
        return cudnnFindConvolutionForwardAlgorithmEx(libraries_->cudnn(), input_.get(), scratch.input,
                                                      filter_.get(), scratch.filter, forward_.get(),
                                                      output_.get(), scratch.output, longest, returned, list,
                                                      scratch.workspace, scratch.workspace_bytes);
      });
  choice_.forward = found.algo;
  // fp32 stays with full float32 whatever the list says.
  if (precision_ != Precision::fp32) choice_.forward_math = found.mathType;
}

void LibraryConvolution::choose_backward(const ConvolutionRule& rule, const ConvolutionScratch& scratch) {
  using FoundData = cudnnConvolutionBwdDataAlgoPerf_t;
  using FoundFilter = cudnnConvolutionBwdFilterAlgoPerf_t;
  cudnnHandle_t handle = libraries_->cudnn();
  if (input_gradient_) {
    const auto found = choose_one<FoundData>(
        rule, precision_ == Precision::fp32, data_order, "the input gradient of convolution " + name_,
        [&](int longest, int* returned, FoundData* list) {
          return cudnnGetConvolutionBackwardDataAlgorithm_v7(handle, filter_.get(), output_.get(),
                                                             backward_data_.get(), input_.get(), longest,
                                                             returned, list);
        },
        [&](int longest, int* returned, FoundData* list) {
          return cudnnFindConvolutionBackwardDataAlgorithmEx(
              handle, filter_.get(), scratch.filter, output_.get(), scratch.output, backward_data_.get(),
              input_.get(), scratch.input, longest, returned, list, scratch.workspace,
              scratch.workspace_bytes);
        });
    choice_.backward_data = found.algo;
    if (precision_ != Precision::fp32) choice_.backward_data_math = found.mathType;
  }
  const auto found = choose_one<FoundFilter>(
      rule, precision_ == Precision::fp32, filter_order, "the filter gradient of convolution " + name_,
      [&](int longest, int* returned, FoundFilter* list) {
        return cudnnGetConvolutionBackwardFilterAlgorithm_v7(handle, input_.get(), output_.get(),
                                                             backward_filter_.get(), filter_.get(), longest,
                                                             returned, list);
      },
      [&](int longest, int* returned, FoundFilter* list) {
        return cudnnFindConvolutionBackwardFilterAlgorithmEx(
            handle, input_.get(), scratch.input, output_.get(), scratch.output, backward_filter_.get(),
            filter_.get(), scratch.filter, longest, returned, list, scratch.workspace,
            scratch.workspace_bytes);
      });
  choice_.backward_filter = found.algo;
  if (precision_ != Precision::fp32) choice_.backward_filter_math = found.mathType;
}

// Which types and layouts the fused call serves differs between versions and is not to be asked: one call
// tells.
void LibraryConvolution::try_fused(const ConvolutionScratch& scratch) {
  if (!relu_ && choice_.forward != CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM) {
    choice_.fused = 0;
    return;
  }
  // The bias is taken from the beginning of the filter: contents do not matter, and a filter has at least as
  // many elements.
  const cudnnStatus_t status = forward_fused(scratch.input, scratch.filter, scratch.filter, scratch.output,
                                             scratch.workspace, scratch.workspace_bytes);
  choice_.fused = status == CUDNN_STATUS_SUCCESS ? 1 : 0;
  if (status != CUDNN_STATUS_SUCCESS && status != CUDNN_STATUS_NOT_SUPPORTED) {
    check(status, ("convolution " + name_).c_str());
  }
}

std::string LibraryConvolution::choice() const {
  return fmt::format("{} {} {} {} {} {} {}", choice_.forward, choice_.forward_math, choice_.backward_data,
                     choice_.backward_data_math, choice_.backward_filter, choice_.backward_filter_math,
                     choice_.fused);
}

void LibraryConvolution::accept(std::string_view text) {
  std::istringstream stream{std::string(text)};
  ConvolutionChoice chosen;
  stream >> chosen.forward >> chosen.forward_math >> chosen.backward_data >> chosen.backward_data_math >>
      chosen.backward_filter >> chosen.backward_filter_math >> chosen.fused;
  if (!stream) {
    fail(ExitCode::device,
         "rank 0 chose \"{}\" for convolution {}, which names no algorithms: do all ranks "
         "run the same version?",
         text, name_);
  }
  choice_ = chosen;
  set_math();
  cudnnHandle_t handle = libraries_->cudnn();
  check(cudnnGetConvolutionForwardWorkspaceSize(
            handle, input_.get(), filter_.get(), forward_.get(), output_.get(),
            static_cast<cudnnConvolutionFwdAlgo_t>(chosen.forward), &forward_bytes_),
        ("the workspace of convolution " + name_).c_str());
  if (!training_) return;
  if (input_gradient_) {
    check(cudnnGetConvolutionBackwardDataWorkspaceSize(
              handle, filter_.get(), output_.get(), backward_data_.get(), input_.get(),
              static_cast<cudnnConvolutionBwdDataAlgo_t>(chosen.backward_data), &data_bytes_),
          ("the workspace of the input gradient of convolution " + name_).c_str());
  }
  check(cudnnGetConvolutionBackwardFilterWorkspaceSize(
            handle, input_.get(), output_.get(), backward_filter_.get(), filter_.get(),
            static_cast<cudnnConvolutionBwdFilterAlgo_t>(chosen.backward_filter), &filter_workspace_bytes_),
        ("the workspace of the filter gradient of convolution " + name_).c_str());
}

std::size_t LibraryConvolution::workspace_bytes() const {
  return std::max({forward_bytes_, data_bytes_, filter_workspace_bytes_});
}

cudnnStatus_t LibraryConvolution::forward_fused(const void* input, const void* filter, const void* bias,
                                                void* output, void* workspace, std::size_t bytes) const {
  // The fourth operand (scaled by 0) is not read.
  return cudnnConvolutionBiasActivationForward(
      libraries_->cudnn(), &one, input_.get(), input, filter_.get(), filter, forward_.get(),
      static_cast<cudnnConvolutionFwdAlgo_t>(choice_.forward), workspace, bytes, &zero, output_.get(), output,
      bias_.get(), bias, activation_.get(), output_.get(), output);
}

bool LibraryConvolution::forward(const void* input, const void* filter, const void* bias, void* output,
                                 void* workspace) const {
  if (choice_.fused != 0) {
    check(forward_fused(input, filter, bias, output, workspace, forward_bytes_),
          ("convolution " + name_).c_str());
    return true;
  }
  check(cudnnConvolutionForward(libraries_->cudnn(), &one, input_.get(), input, filter_.get(), filter,
                                forward_.get(), static_cast<cudnnConvolutionFwdAlgo_t>(choice_.forward),
                                workspace, forward_bytes_, &zero, output_.get(), output),
        ("convolution " + name_).c_str());
  return false;
}

void LibraryConvolution::add_bias(const void* bias, void* output) const {
  check(cudnnAddTensor(libraries_->cudnn(), &one, bias_.get(), bias, &one, output_.get(), output),
        ("the bias of convolution " + name_).c_str());
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
