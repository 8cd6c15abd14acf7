// What every optimiser's formula and every update loop share, for one element, on the CPU and inside GPU
// kernels: used by engine/optimizer_table.hpp and the loops; train/ asks is_sound of whole buffers.
#pragma once

#include <cmath>

#include "base/host_device.hpp"

namespace convoy {

// What is the same for every element of one tensor in one update.
struct UpdateConstants {
  float rate = 0, decay = 0;
  float inverse_loss_scale = 1;
  float momentum = 0;
  float beta1 = 0, beta2 = 0, epsilon = 0;
  float adam_rate = 0;          // rate / (1 − β1^t)
  float second_correction = 1;  // 1 / √(1 − β2^t)
};

// Adam's bias corrections from β1^t and β2^t, t the number of the update.
CONVOY_HOST_DEVICE inline void correct_bias(UpdateConstants& constants, double power1, double power2) {
  constants.adam_rate = static_cast<float>(constants.rate / (1.0 - power1));
  constants.second_correction = static_cast<float>(1.0 / std::sqrt(1.0 - power2));
}

// Whether training can continue from this weight. Beyond 2^60 products of weights and activations overflow
// inside a layer, and the NaN that comes of it may leave a library's fused ReLU as 0, so that neither the
// loss nor a gradient shows it. A NaN is not sound either.
CONVOY_HOST_DEVICE inline bool is_sound(float weight) {
  return std::fabs(weight) < 0x1p60F;
}

// A moment or velocity of a parameter that has no gradient any more (a unit that died) shrinks by a factor at
// each step until it is subnormal, and there it stays for ever, since rounding gives it back what the factor
// takes. A product with a subnormal number costs a CPU a hundred cycles or more. So it ends at zero: what is
// lost is below 1.2e-38, which moves no weight.
CONVOY_HOST_DEVICE inline float settled(float value) {
  return std::fabs(value) < 0x1p-126F ? 0.0F : value;
}

}  // namespace convoy
