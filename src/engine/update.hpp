// What an optimiser's update is made of, for train/ (which fills it in) and the engines (which apply it in
// one pass over the flat buffers). The formulas stand in engine/update_arithmetic.hpp.
#pragma once

#include <cstdint>
#include <span>

#include "base/words.hpp"

namespace convoy {

// sgd:       v ← μ v + g + λ w;        w ← w − ε v      (PyTorch)
// sgd_caffe: v ← μ v − ε λ w − ε g;    w ← w + v        (Krizhevsky 2012, Caffe)
// adam:      Kingma and Ba 2015, with g ← g + λ w first; slots are the uncorrected moments
enum class OptimizerRule { sgd, sgd_caffe, adam };

inline Words<OptimizerRule> optimizer_words() {
  return {
      {"sgd", OptimizerRule::sgd}, {"sgd-caffe", OptimizerRule::sgd_caffe}, {"adam", OptimizerRule::adam}};
}

struct OptimizerSettings {
  OptimizerRule rule = OptimizerRule::sgd;
  float momentum = 0.9F;
  float beta1 = 0.9F, beta2 = 0.999F, epsilon = 1e-8F;
};

// Optimiser slots (flat buffers beside the parameters) a rule needs.
constexpr int slot_count(OptimizerRule rule) {
  return rule == OptimizerRule::adam ? 2 : 1;
}

struct TensorRate {
  float rate = 0, decay = 0;
};

struct UpdateStep {
  std::int64_t number = 1;            // 1 for the first update, those that were skipped counted too
  float inverse_loss_scale = 1;       // multiplied into the gradients first
  std::span<const TensorRate> rates;  // one per parameter, in table order
};

struct UpdateResult {
  bool finite = true;         // false: nothing was changed
  bool weights_sound = true;  // false: the update before this one produced unusable weights
  double gradient_norm = 0;   // of the reduced, unscaled gradient
};

}  // namespace convoy
