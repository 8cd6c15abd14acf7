// Convolutions as a library computes them, behind one small interface. Each pass is a question to the tuner:
// its candidates are the plans of convolution_plan.hpp. Used by convolution.cpp.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engine/cuda/convolution_plan.hpp"
#include "engine/cuda/device_bench.hpp"
#include "engine/cuda/libraries.hpp"
#include "engine/cuda/side_branch.hpp"
#include "engine/tuning/tuner.hpp"

namespace convoy::cuda {

// Memory to try plans on: `input`, `output` and `filter` hold the largest of each, `filter` its gradient too,
// and the gradients, which are there where a branch is allowed, the largest of theirs. `workspace` gives at
// least as many bytes, or null where they are not to be had; what it gave before is void then.
// `side_workspace` is the branch's.
struct ConvolutionScratch {
  void *input = nullptr, *output = nullptr, *filter = nullptr;
  void *input_gradient = nullptr, *filter_gradient = nullptr;
  std::function<void*(std::size_t bytes)> workspace, side_workspace;
};

// What plans are chosen by.
struct ConvolutionRule {
  bool deterministic = true;  // none that adds in any order
  bool training = true;       // backward passes too
};

class LibraryConvolution {
 public:
  // `precision` decides the arithmetic: fp32 products in full float32, tf32 and the 16-bit formats on tensor
  // cores with float32 sums. Errors include `name`.
  LibraryConvolution(const Libraries& libraries, std::string name, const ConvolutionShape& shape,
                     Precision precision, bool relu);

  // Says that backward_data() will be wanted; before choose().
  void want_input_gradient() { input_gradient_ = true; }
  // Says that the gradient of weights may be computed on `branch` beside that of inputs; the same.
  void allow(const SideBranch& branch) { branch_ = &branch; }

  // The filter's gradient is not that of the layer's own filter: `gather` makes `elements` of float32 of it.
  void gather_gradient(GatherGradient gather, std::size_t elements) {
    gather_ = std::move(gather);
    gradient_elements_ = elements;
  }

  const ConvolutionShape& shape() const { return shape_; }
  std::size_t filter_bytes() const { return shape_.filter_bytes(); }
  std::size_t gradient_bytes() const { return gradient_elements_ * sizeof(float); }
  std::size_t workspace_limit() const { return shape_.workspace_limit(); }

  // Every way to compute a pass here, in the order of preference; all are finished.
  std::vector<ConvolutionPlan> plans(ConvolutionPass pass, bool deterministic) const;

  // Asks for a plan of each pass. Never inside a capture: plans run on `scratch` (whose contents are lost).
  void choose(Tuner& tuner, const ConvolutionRule& rule, const ConvolutionScratch& scratch);
  // Bytes of scratch that the passes need by this choice, and the gradient of weights on the branch.
  std::size_t workspace_bytes() const;
  std::size_t side_workspace_bytes() const { return beside_ ? backward_filter_.plan.workspace_bytes : 0; }
  // Where the gradient of weights is computed: null where it is on the stream of the other passes.
  const SideBranch* filter_branch() const { return beside_ ? branch_ : nullptr; }

  // output = convolution + bias, and where `relu` was asked for, its positive part.
  void forward(const void* input, const void* filter, const void* bias, void* output, void* workspace) const;
  void backward_data(const void* filter, const void* output_gradient, void* input_gradient,
                     void* workspace) const;
  // Stored, or added where `add`. On filter_branch(), if there is one, with a workspace that no other pass
  // uses meanwhile.
  void backward_filter(const void* input, const void* output_gradient, float* gradient, bool add,
                       void* workspace) const;

 private:
  // The plan of a pass.
  struct Chosen {
    std::string name;
    PreparedConvolution plan;
  };

  // What a pass is tried on.
  struct TrialSetup {
    ConvolutionOperands operands;
    std::vector<TrialOperand> inputs;
    TrialOperand result;
  };
  std::vector<ConvolutionPlan> plans_on(const Libraries& libraries, ConvolutionPass pass,
                                        bool deterministic) const;
  TrialSetup trial_setup(ConvolutionPass pass, const ConvolutionScratch& scratch) const;
  Chosen ask(Tuner& tuner, ConvolutionPass pass, bool deterministic, const ConvolutionScratch& scratch) const;
  void ask_for_branch(Tuner& tuner, bool deterministic, const ConvolutionScratch& scratch);
  std::string title(ConvolutionPass pass) const;
  std::string key(ConvolutionPass pass) const;
  void run(const Chosen& chosen, ConvolutionPass pass, const ConvolutionOperands& operands) const;

  const Libraries* libraries_;
  std::string name_;
  ConvolutionShape shape_;
  Precision precision_;
  bool relu_;
  bool input_gradient_ = false, beside_ = false;
  const SideBranch* branch_ = nullptr;
  GatherGradient gather_;
  std::size_t gradient_elements_;
  Chosen forward_, backward_data_, backward_filter_;
};

}  // namespace convoy::cuda
