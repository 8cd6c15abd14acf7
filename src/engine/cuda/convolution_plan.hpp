// What a convolution is to the libraries that compute it, and one way to compute a direction of it. Plans are
// made by legacy_convolution.cpp and graph_convolution.cpp, applied to other forms of a convolution by
// dense_convolution.cpp and slice_convolution.cpp, completed by finished_plan.cpp, and chosen and run by
// convolution_library.cpp.
#pragma once

#include <cudnn.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/cuda/libraries.hpp"

namespace convoy::cuda {

// Padding is symmetric here: what is not is padded by a kernel before.
struct ConvolutionShape {
  MapShape input, output;
  int kernel = 0, stride = 1, padding = 0, groups = 1;
  // Both maps are slices of ones with `slices` times as many channels.
  int slices = 1;

  std::size_t filter_elements() const;
  std::size_t filter_bytes() const { return filter_elements() * bytes_of(input.element); }
  // What an algorithm may take of workspace: those that convert layouts or pad channels take several times
  // the operands.
  std::size_t workspace_limit() const;
};

enum class ConvolutionPass { forward, backward_data, backward_filter };

// Device memory that a pass reads and writes.
struct ConvolutionOperands {
  // Forward: the input and the filter; backward_data: the filter and the output's gradient; backward_filter:
  // the input and the output's gradient.
  const void *first = nullptr, *second = nullptr;
  const void* bias = nullptr;  // forward only
  void* result = nullptr;
  bool add = false;  // backward_filter only, finished plans only: to what is there
  void* workspace = nullptr;
};

using RunConvolution = std::function<cudnnStatus_t(const ConvolutionOperands&)>;

// A plan that can be run.
struct PreparedConvolution {
  std::size_t workspace_bytes = 0;
  RunConvolution run;  // enqueues all of the pass
};

// Moves the gradient of a filter from `values`, where a library wrote it, to the layer's own gradient:
// stored, or added where `add`.
using GatherGradient = std::function<void(const void* values, Element element, bool add, float* gradient)>;

struct ConvolutionPlan {
  std::string name;  // the same on every rank with the same version of the library
  bool deterministic = true;
  // None: the library does not serve it. It may compile kernels for hundreds of milliseconds, so only plans
  // that are tried or chosen are prepared.
  std::function<std::optional<PreparedConvolution>()> prepare;

  // Until it is finished:
  bool leaves_bias = false;             // forward: neither bias nor ReLU is in the call
  Element gradient = Element::float32;  // backward_filter: what it writes,
  std::size_t gradient_bytes = 0;       // in how many bytes,
  GatherGradient gather;                // and how it gets to the layer's gradient; empty: place for place
};

// What plans are made for.
struct ConvolutionRequest {
  const Libraries* libraries = nullptr;
  ConvolutionShape shape;
  Precision precision = Precision::fp32;
  bool relu = false;
  bool deterministic = true;  // deterministic plans alone, all of them; else the most promising ones
};

// By cuDNN's legacy calls, in the order of preference: matrix products first, whose sums run in the order of
// the sum that defines a convolution.
std::vector<ConvolutionPlan> legacy_plans(const ConvolutionRequest& request, ConvolutionPass pass);

// By engines of cuDNN's graph API, as its heuristics order them: forward with bias and ReLU in the same
// kernel and without, the gradient of weights in float32 and as wide as the maps. At most `most` of each.
std::vector<ConvolutionPlan> graph_plans(const ConvolutionRequest& request, ConvolutionPass pass,
                                         std::size_t most);

// Makes plans for a request.
using PlanMaker =
    std::function<std::vector<ConvolutionPlan>(const ConvolutionRequest& request, ConvolutionPass pass)>;

// One ungrouped convolution in place of a grouped one: filters are expanded with zeros, and the blocks that
// count are gathered from the gradient of weights. The library's tensor-core kernels for groups are up to
// five times slower than those without (conv4 of `alexnet` on an H200), so that the zeros pay.
std::vector<ConvolutionPlan> dense_plans(const ConvolutionRequest& request, ConvolutionPass pass,
                                         const PlanMaker& make);

// One ungrouped convolution for each group, on its slice of both maps' channels.
std::vector<ConvolutionPlan> slice_plans(const ConvolutionRequest& request, ConvolutionPass pass,
                                         const PlanMaker& make);

// The plan with everything that the pass is to a layer: forward with bias and ReLU, the gradient of weights
// in float32 where `gather` (or the plan's own) moves it, and added to where operands say so.
ConvolutionPlan finished(ConvolutionPlan plan, const ConvolutionRequest& request, ConvolutionPass pass,
                         const GatherGradient& gather);

// Changes how a plan runs, with `bytes` of workspace at `own` before those of the plan itself; `operands`
// have the plan's workspace.
using WrappedRun =
    std::function<cudnnStatus_t(const RunConvolution& inner, const ConvolutionOperands& operands, void* own)>;
void wrap(ConvolutionPlan& plan, std::size_t bytes, WrappedRun run);

}  // namespace convoy::cuda
