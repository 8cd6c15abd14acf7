// The gradient of local response normalisation across channels as a loop of our own, in float32: oneDNN 3 has
// generated code for it with AVX-512 alone, and its scalar code takes half of a step of `alexnet` on a CPU
// with AVX2. Used by normalisation.cpp where oneDNN offers nothing better.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/cpu/onednn.hpp"
#include "model/net_spec.hpp"

namespace convoy::cpu {

class NormalisationGradient {
 public:
  // For maps of this description; none where the loop does not serve it: channels in the innermost place,
  // all of them or blocks of 8 or 16, at most 512, and a window of odd size.
  static std::optional<NormalisationGradient> make(const LocalResponseNormalisation& layer,
                                                   const memory::desc& maps);

  // All three in the layout of the maps. From y = x · s^−β with s = k + α/n · Σ x² over the window of n
  // channels (Krizhevsky et al. 2012, section 3.3):
  // ∂x_i = ∂y_i · s_i^−β − 2 · α/n · β · x_i · Σ_j ∂y_j · x_j · s_j^(−β − 1).
  void run(const float* input, const float* output_gradient, float* input_gradient) const;

 private:
  NormalisationGradient() = default;

  LocalResponseNormalisation layer_;
  std::int64_t samples_ = 0, places_ = 0;
  int channels_ = 0, block_ = 0;
};

}  // namespace convoy::cpu
