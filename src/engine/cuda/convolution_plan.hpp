// What a convolution is to the libraries that compute it, and one way to compute a direction of it. Plans are
// made by legacy_convolution.cpp, changed to other forms by dense_convolution.cpp, and chosen and run by
// convolution_library.cpp.
#pragma once

#include <cudnn.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "engine/cuda/libraries.hpp"

namespace convoy::cuda {

// Padding is symmetric here: what is not is padded by a kernel before.
struct ConvolutionShape {
  MapShape input, output;
  int kernel = 0, stride = 1, padding = 0, groups = 1;

  std::size_t filter_bytes() const;
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
  bool add = false;  // backward_filter only: to what is there
  void* workspace = nullptr;
};

struct ConvolutionPlan {
  std::string name;  // the same on every rank with the same version of the library
  bool deterministic = true;
  std::size_t workspace_bytes = 0;
  std::function<cudnnStatus_t(const ConvolutionOperands&)> run;  // enqueues all of the pass, or nothing
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

// One ungrouped convolution in place of a grouped one: filters are expanded with zeros, and the blocks that
// count are gathered from the gradient of weights. The library's tensor-core kernels for groups are up to
// five times slower than those without (conv4 of `alexnet` on an H200), so that the zeros pay.
std::vector<ConvolutionPlan> dense_plans(const ConvolutionRequest& request, ConvolutionPass pass);

}  // namespace convoy::cuda
