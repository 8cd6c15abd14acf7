// What an update is made of beside the optimiser's formula: filled in by train/, applied by the engines in
// one pass over the flat buffers. The optimisers are in engine/optimizer_table.hpp.
#pragma once

#include <cstdint>
#include <span>

namespace convoy {

struct TensorRate {
  float rate = 0, decay = 0;
};

struct UpdateStep {
  std::int64_t number = 1;            // 1 for the first update, those that were skipped counted too
  float inverse_loss_scale = 1;       // multiplied into the gradients first
  std::span<const TensorRate> rates;  // one per parameter, in table order
};

struct UpdateResult {
  bool finite = true;         // of the gradient; false: training has diverged (fp16: nothing was changed)
  bool weights_sound = true;  // false: the update before this one produced unusable weights
  double gradient_norm = 0;   // of the reduced, unscaled gradient
};

// fp16's factor on the loss gradient, which keeps small gradients from becoming 0 (Micikevicius et al. 2018):
// halved after a step whose gradients overflowed, doubled after `growth_interval` good ones.
struct LossScale {
  double scale = 1;
  std::int64_t good_steps = 0;  // since the scale last changed
  std::int64_t skipped = 0;     // updates left out so far: Adam's bias correction does not count them
  static constexpr std::int64_t growth_interval = 2000;
  static constexpr double first = 65536;  // of a new run in fp16
};

}  // namespace convoy
