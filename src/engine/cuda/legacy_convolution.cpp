// Plans that call cuDNN's legacy convolution functions, one for each algorithm; forward with bias and ReLU in
// the same call, and without.
#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <span>

#include "base/error.hpp"
#include "engine/cuda/convolution_plan.hpp"

namespace convoy::cuda {

namespace {

constexpr float one = 1, zero = 0;

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

// Of one plan, which owns them: a plan's arithmetic is that of its convolution's descriptor.
struct Descriptors {
  TensorDescriptor input, output, bias;
  FilterDescriptor filter;
  ConvolutionDescriptor convolution;
  ActivationDescriptor activation;
};

std::shared_ptr<const Descriptors> make_descriptors(const ConvolutionRequest& request, cudnnMathType_t math) {
  const ConvolutionShape& shape = request.shape;
  auto result = std::make_shared<Descriptors>();
  result->input = describe(shape.input, shape.slices);
  result->output = describe(shape.output, shape.slices);
  MapShape bias = shape.output;
  bias.rows = bias.height = bias.width = 1;
  result->bias = describe(bias);
  cudnnFilterDescriptor_t filter = nullptr;
  check(cudnnCreateFilterDescriptor(&filter), "a filter descriptor");
  result->filter.reset(filter);
  check(cudnnSetFilter4dDescriptor(filter, cudnn_type(shape.input.element), cudnn_format(shape.input.layout),
                                   shape.output.channels, shape.input.channels / shape.groups, shape.kernel,
                                   shape.kernel),
        "a filter");
  cudnnConvolutionDescriptor_t convolution = nullptr;
  check(cudnnCreateConvolutionDescriptor(&convolution), "a convolution descriptor");
  result->convolution.reset(convolution);
  check(cudnnSetConvolution2dDescriptor(convolution, shape.padding, shape.padding, shape.stride, shape.stride,
                                        1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
        "a convolution");
  check(cudnnSetConvolutionGroupCount(convolution, shape.groups), "a convolution's groups");
  check(cudnnSetConvolutionMathType(convolution, math), "a convolution's arithmetic");
  cudnnActivationDescriptor_t activation = nullptr;
  check(cudnnCreateActivationDescriptor(&activation), "an activation descriptor");
  result->activation.reset(activation);
  check(cudnnSetActivationDescriptor(activation,
                                     request.relu ? CUDNN_ACTIVATION_RELU : CUDNN_ACTIVATION_IDENTITY,
                                     CUDNN_NOT_PROPAGATE_NAN, 0),
        "an activation");
  return result;
}

// One of the library's algorithms, whatever the pass.
struct Algorithm {
  int number = 0;
  bool deterministic = true;
  std::size_t workspace_bytes = 0;
  std::shared_ptr<const Descriptors> descriptors;
  std::string name;
};

// fp32 stays with full float32 whatever a list says; and where maps are of float32, none may convert them to
// 16 bits.
bool right_arithmetic(cudnnMathType_t listed, const ConvolutionRequest& request) {
  if (request.precision == Precision::fp32) return listed == CUDNN_DEFAULT_MATH || listed == CUDNN_FMA_MATH;
  return request.shape.input.element != Element::float32 || listed != CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION;
}

std::string name_of(int algorithm, cudnnMathType_t math, Precision precision) {
  std::string name = fmt::format("legacy algorithm {}", algorithm);
  if (precision == Precision::fp32 || math == CUDNN_TENSOR_OP_MATH) return name;
  if (math == CUDNN_FMA_MATH) return name + " in FMA arithmetic";
  return name + (math == CUDNN_DEFAULT_MATH ? " in default arithmetic" : " with conversions");
}

// The algorithms of a list that serve. `list` is a library's, ordered by the time that its heuristics expect;
// `ask` asks how much workspace one takes: what is listed is not always to be had.
template <typename Found, typename Order, typename Ask>
std::vector<Algorithm> select(const ConvolutionRequest& request, std::span<const Found> list,
                              const Order& order, Ask&& ask) {
  constexpr std::size_t most_tried_alone = 5, most_tried_of_two_forms = 3;
  const std::size_t most = request.deterministic      ? std::numeric_limits<std::size_t>::max()
                           : request.shape.groups > 1 ? most_tried_of_two_forms
                                                      : most_tried_alone;
  const std::size_t limit = request.shape.workspace_limit();
  std::vector<Algorithm> result;
  for (const Found& found : list) {
    const bool deterministic = found.determinism == CUDNN_DETERMINISTIC;
    if (found.status != CUDNN_STATUS_SUCCESS || found.memory > limit ||
        !right_arithmetic(found.mathType, request) || (request.deterministic && !deterministic))
      continue;
    // In fp32 an algorithm that is listed for two kinds of arithmetic is one and the same here.
    const std::string name = name_of(found.algo, found.mathType, request.precision);
    if (std::ranges::find(result, name, &Algorithm::name) != result.end()) continue;
    const cudnnMathType_t math = request.precision == Precision::fp32 ? CUDNN_FMA_MATH : found.mathType;
    Algorithm algorithm{.number = found.algo,
                        .deterministic = deterministic,
                        .workspace_bytes = 0,
                        .descriptors = make_descriptors(request, math),
                        .name = name};
    if (ask(found.algo, *algorithm.descriptors, algorithm.workspace_bytes) != CUDNN_STATUS_SUCCESS ||
        algorithm.workspace_bytes > limit)
      continue;
    result.push_back(std::move(algorithm));
    if (result.size() == most) break;
  }
  // An algorithm may be listed once for each kind of arithmetic, the faster first: that order stays.
  std::ranges::stable_sort(result, {}, [&](const Algorithm& algorithm) {
    return std::ranges::find_if(order, [&](auto each) { return each == algorithm.number; }) - order.begin();
  });
  return result;
}

template <typename Found, typename Get>
std::vector<Found> listed(const char* what, Get&& get) {
  constexpr int longest = 32;
  std::vector<Found> list(longest);
  int returned = 0;
  const cudnnStatus_t status = get(longest, &returned, list.data());
  const cudnnStatus_t category = static_cast<cudnnStatus_t>(CUDNN_STATUS_CATEGORY(status));
  // Maps that it does not serve: some are refused here, not in the list.
  if (category == CUDNN_STATUS_NOT_SUPPORTED || category == CUDNN_STATUS_BAD_PARAM) return {};
  check(status, what);
  list.resize(static_cast<std::size_t>(returned));
  return list;
}

cudnnMathType_t listing_math(const ConvolutionRequest& request) {
  return request.precision == Precision::fp32 ? CUDNN_FMA_MATH : CUDNN_TENSOR_OP_MATH;
}

// Of a call that is ready from the start.
ConvolutionPlan plan_of(std::string name, const Algorithm& algorithm, std::size_t bytes, RunConvolution run) {
  return {.name = std::move(name),
          .deterministic = algorithm.deterministic,
          .prepare = [bytes, run = std::move(run)]() -> std::optional<PreparedConvolution> {
            return PreparedConvolution{.workspace_bytes = bytes, .run = run};
          },
          .gather = {}};
}

ConvolutionPlan plain_forward(const ConvolutionRequest& request, const Algorithm& algorithm) {
  ConvolutionPlan plan =
      plan_of(algorithm.name, algorithm, algorithm.workspace_bytes,
              [cudnn = request.libraries->cudnn(), own = algorithm.descriptors, number = algorithm.number,
               bytes = algorithm.workspace_bytes](const ConvolutionOperands& operands) {
                return cudnnConvolutionForward(
                    cudnn, &one, own->input.get(), operands.first, own->filter.get(), operands.second,
                    own->convolution.get(), static_cast<cudnnConvolutionFwdAlgo_t>(number),
                    operands.workspace, bytes, &zero, own->output.get(), operands.result);
              });
  plan.leaves_bias = true;
  return plan;
}

// Which types and layouts the call serves differs between versions and is not to be asked: a run tells.
ConvolutionPlan fused_forward(const ConvolutionRequest& request, const Algorithm& algorithm,
                              std::size_t bytes) {
  return plan_of(
      algorithm.name + (bytes == algorithm.workspace_bytes ? ", fused" : ", fused, more workspace"),
      algorithm, bytes,
      [cudnn = request.libraries->cudnn(), own = algorithm.descriptors, number = algorithm.number,
       bytes](const ConvolutionOperands& operands) {
        // The fourth operand (scaled by 0) is not read.
        return cudnnConvolutionBiasActivationForward(
            cudnn, &one, own->input.get(), operands.first, own->filter.get(), operands.second,
            own->convolution.get(), static_cast<cudnnConvolutionFwdAlgo_t>(number), operands.workspace, bytes,
            &zero, own->output.get(), operands.result, own->bias.get(), operands.bias, own->activation.get(),
            own->output.get(), operands.result);
      });
}

std::vector<ConvolutionPlan> forward_plans(const ConvolutionRequest& request) {
  using Found = cudnnConvolutionFwdAlgoPerf_t;
  const cudnnHandle_t cudnn = request.libraries->cudnn();
  const auto own = make_descriptors(request, listing_math(request));
  const auto list =
      listed<Found>("algorithms of a convolution", [&](int longest, int* returned, Found* found) {
        return cudnnGetConvolutionForwardAlgorithm_v7(cudnn, own->input.get(), own->filter.get(),
                                                      own->convolution.get(), own->output.get(), longest,
                                                      returned, found);
      });
  const std::vector<Algorithm> algorithms = select<Found>(
      request, list, forward_order, [&](auto number, const Descriptors& each, std::size_t& bytes) {
        return cudnnGetConvolutionForwardWorkspaceSize(cudnn, each.input.get(), each.filter.get(),
                                                       each.convolution.get(), each.output.get(), number,
                                                       &bytes);
      });
  std::size_t most_bytes = 0;
  for (const Algorithm& algorithm : algorithms) most_bytes = std::max(most_bytes, algorithm.workspace_bytes);
  std::vector<ConvolutionPlan> plans;
  for (const Algorithm& algorithm : algorithms) {
    // Without ReLU the fused call exists for one algorithm alone.
    const bool fuses = request.relu || algorithm.number == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
    // The fused call was wrong for groups in some versions. Where candidates are compared, the plain call
    // comes first, so that the others are held against it; by rule, the fused call where it can be trusted.
    const bool fused_first = request.deterministic && request.shape.groups == 1;
    if (!fused_first) plans.push_back(plain_forward(request, algorithm));
    if (fuses) {
      plans.push_back(fused_forward(request, algorithm, algorithm.workspace_bytes));
      // The call has a plan of its own, whose workspace is not to be asked.
      if (request.deterministic && algorithm.workspace_bytes < most_bytes)
        plans.push_back(fused_forward(request, algorithm, most_bytes));
    }
    if (fused_first) plans.push_back(plain_forward(request, algorithm));
  }
  return plans;
}

std::vector<ConvolutionPlan> data_plans(const ConvolutionRequest& request) {
  using Found = cudnnConvolutionBwdDataAlgoPerf_t;
  const cudnnHandle_t cudnn = request.libraries->cudnn();
  const auto own = make_descriptors(request, listing_math(request));
  const auto list = listed<Found>(
      "algorithms of a convolution's input gradient", [&](int longest, int* returned, Found* found) {
        return cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnn, own->filter.get(), own->output.get(),
                                                           own->convolution.get(), own->input.get(), longest,
                                                           returned, found);
      });
  std::vector<ConvolutionPlan> plans;
  for (const Algorithm& algorithm :
       select<Found>(request, list, data_order, [&](auto number, const Descriptors&each, std::size_t&bytes) {
         return cudnnGetConvolutionBackwardDataWorkspaceSize(cudnn, each.filter.get(), each.output.get(),
                                                             each.convolution.get(), each.input.get(), number,
                                                             &bytes);
       })) {
    plans.push_back(plan_of(
        algorithm.name, algorithm, algorithm.workspace_bytes,
        [cudnn, algorithm](const ConvolutionOperands& operands) {
          const Descriptors& each = *algorithm.descriptors;
          return cudnnConvolutionBackwardData(
              cudnn, &one, each.filter.get(), operands.first, each.output.get(), operands.second,
              each.convolution.get(), static_cast<cudnnConvolutionBwdDataAlgo_t>(algorithm.number),
              operands.workspace, algorithm.workspace_bytes, &zero, each.input.get(), operands.result);
        }));
  }
  return plans;
}

std::vector<ConvolutionPlan> filter_plans(const ConvolutionRequest& request) {
  using Found = cudnnConvolutionBwdFilterAlgoPerf_t;
  const cudnnHandle_t cudnn = request.libraries->cudnn();
  const auto own = make_descriptors(request, listing_math(request));
  const auto list = listed<Found>(
      "algorithms of a convolution's filter gradient", [&](int longest, int* returned, Found* found) {
        return cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnn, own->input.get(), own->output.get(),
                                                             own->convolution.get(), own->filter.get(),
                                                             longest, returned, found);
      });
  std::vector<ConvolutionPlan> plans;
  for (const Algorithm& algorithm : select<Found>(
           request, list, filter_order, [&](auto number, const Descriptors&each, std::size_t&bytes) {
             return cudnnGetConvolutionBackwardFilterWorkspaceSize(cudnn, each.input.get(), each.output.get(),
                                                                   each.convolution.get(), each.filter.get(),
                                                                   number, &bytes);
           })) {
    ConvolutionPlan plan = plan_of(
        algorithm.name, algorithm, algorithm.workspace_bytes,
        [cudnn, algorithm](const ConvolutionOperands& operands) {
          const Descriptors& each = *algorithm.descriptors;
          return cudnnConvolutionBackwardFilter(
              cudnn, &one, each.input.get(), operands.first, each.output.get(), operands.second,
              each.convolution.get(), static_cast<cudnnConvolutionBwdFilterAlgo_t>(algorithm.number),
              operands.workspace, algorithm.workspace_bytes, &zero, each.filter.get(), operands.result);
        });
    plan.gradient = request.shape.input.element;
    plan.gradient_bytes = request.shape.filter_bytes();
    plans.push_back(std::move(plan));
  }
  return plans;
}

}  // namespace

std::vector<ConvolutionPlan> legacy_plans(const ConvolutionRequest& request, ConvolutionPass pass) {
  if (pass == ConvolutionPass::forward) return forward_plans(request);
  return pass == ConvolutionPass::backward_data ? data_plans(request) : filter_plans(request);
}

}  // namespace convoy::cuda
