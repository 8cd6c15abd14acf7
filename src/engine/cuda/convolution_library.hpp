// Convolutions as a library computes them, behind one small interface: the only place that knows which of
// cuDNN's interfaces serves them (its legacy calls: complete, listed in every version from 7 to 9, and with
// an algorithm to name, measure and agree on; the graph interface would replace convolution_library.cpp
// alone). Used by convolution.cpp.
#pragma once

#include <string>
#include <string_view>

#include "engine/cuda/libraries.hpp"

namespace convoy::cuda {

// Padding is symmetric here: what is not is padded by a kernel before.
struct ConvolutionShape {
  MapShape input, output;
  int kernel = 0, stride = 1, padding = 0, groups = 1;
};

// Numbers of a library's algorithms; a text of them travels between ranks.
struct ConvolutionChoice {
  int forward = 0, forward_math = 0;
  int backward_data = 0, backward_data_math = 0;
  int backward_filter = 0, backward_filter_math = 0;
  std::size_t fused_bytes = 0;  // workspace of the call that fuses
  int fused = 0;                // 1: bias (and ReLU) in the convolution's own call
};

// Memory to try algorithms on: `input`, `output`, `filter` and `workspace` hold the largest of each.
struct ConvolutionScratch {
  void *input = nullptr, *output = nullptr, *filter = nullptr;
  void* workspace = nullptr;
  std::size_t workspace_bytes = 0;
};

// What algorithms are chosen by.
struct ConvolutionRule {
  bool deterministic = true;  // by a fixed order instead of by measurement, none that adds in any order
  bool training = true;       // backward algorithms too
};

class LibraryConvolution {
 public:
  // `precision` decides the arithmetic: fp32 products in full float32, tf32 and the 16-bit formats on tensor
  // cores with float32 sums. Errors include `name`.
  LibraryConvolution(const Libraries& libraries, std::string name, const ConvolutionShape& shape,
                     Precision precision, bool relu);

  // Says that backward_data() will be wanted; before choose().
  void want_input_gradient() { input_gradient_ = true; }

  const ConvolutionShape& shape() const { return shape_; }
  std::size_t filter_bytes() const;
  // What an algorithm may take of workspace: those that convert layouts or pad channels take several times
  // the operands.
  std::size_t workspace_limit() const;

  // Chooses algorithms. Never inside a capture: it may run them on `scratch` (whose contents are lost).
  void choose(const ConvolutionRule& rule, const ConvolutionScratch& scratch);
  // Runs the chosen forward algorithm with bias and ReLU in the same call, to learn whether the library
  // serves that, whether the convolution's own workspace is enough for it or all of the scratch, and (unless
  // deterministic) whether it is faster than the two apart. After choose().
  void try_fused(const ConvolutionScratch& scratch);
  // The choice as a line of JSON, and back; accept() throws ExitCode::device when the text is not one.
  std::string choice() const;
  void accept(std::string_view text);
  // Bytes of scratch that the passes need by this choice.
  std::size_t workspace_bytes() const;

  // output = convolution + bias, and where `relu` was asked for, its positive part.
  void forward(const void* input, const void* filter, const void* bias, void* output, void* workspace) const;
  void backward_data(const void* filter, const void* output_gradient, void* input_gradient,
                     void* workspace) const;
  // Of the maps' element; stored, or added where `add`.
  void backward_filter(const void* input, const void* output_gradient, void* filter_gradient, bool add,
                       void* workspace) const;

 private:
  std::size_t workspace_limit(const ConvolutionRule& rule, const ConvolutionScratch& scratch) const;
  void choose_forward(const ConvolutionRule& rule, const ConvolutionScratch& scratch);
  void choose_backward_data(const ConvolutionRule& rule, const ConvolutionScratch& scratch);
  void choose_backward_filter(const ConvolutionRule& rule, const ConvolutionScratch& scratch);
  void take_math(int& mine, cudnnMathType_t listed);
  cudnnStatus_t ask_forward_workspace(int algorithm, std::size_t& bytes) const;
  cudnnStatus_t ask_data_workspace(int algorithm, std::size_t& bytes) const;
  cudnnStatus_t ask_filter_workspace(int algorithm, std::size_t& bytes) const;
  void set_math();
  bool serves_fused(const ConvolutionScratch& scratch);
  void forward_plain(const void* input, const void* filter, void* output, void* workspace) const;
  cudnnStatus_t forward_fused(const void* input, const void* filter, const void* bias, void* output,
                              void* workspace, std::size_t bytes) const;

  const Libraries* libraries_;
  std::string name_;
  ConvolutionShape shape_;
  Precision precision_;
  bool relu_;
  bool input_gradient_ = false;
  bool training_ = true, deterministic_ = true;
  TensorDescriptor input_, output_, bias_;
  FilterDescriptor filter_;
  ConvolutionDescriptor forward_, backward_data_, backward_filter_;
  ActivationDescriptor activation_;
  ConvolutionChoice choice_;
  std::size_t forward_bytes_ = 0, data_bytes_ = 0, filter_workspace_bytes_ = 0;
};

}  // namespace convoy::cuda
