// Tries layouts of a convolution on the real shapes: the convolution with the operations behind it that
// follow its layout, forward and, in a training program, backward, as they stand in the program that is being
// compiled. Used by convolution_layouts.cpp to answer questions by measurement.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/cpu/convolution_layouts.hpp"
#include "engine/tuning/tuner.hpp"

namespace convoy::cpu {

class ChainTrial;

class ChainBench final : public TrialBench {
 public:
  // The chain that `builder` is at, from `input` on. Both must outlive this.
  ChainBench(Builder& builder, const Tensor& input);
  ~ChainBench() override;

  // Compiles the chain with `layouts` at the first run after prepare(); false where oneDNN does not serve it,
  // or its memory is not to be had.
  bool run(const ConvolutionLayouts& layouts);

  void prepare() override;
  std::optional<double> milliseconds(const std::function<bool()>& run, double best) override;
  // A sample of the output, the gradient of the weights, and sums over the planes of the input's gradient.
  std::vector<float> result() override;

 private:
  Builder& builder_;
  const Tensor& input_;
  std::unique_ptr<ChainTrial> trial_;
  std::vector<float> scales_;  // of the parts of a result: the largest values of the first
};

// Largest difference between two right results (Question::tolerance).
double chain_tolerance();

// All that the speed of the chain depends on, beside the machine (Question::key).
std::string chain_key(Builder& builder, const Tensor& input);

}  // namespace convoy::cpu
