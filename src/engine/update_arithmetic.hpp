// The optimisers' formulas for one element, for the CPU's loop and the GPU's kernel. `g` is the reduced
// gradient, already multiplied by 1 / loss scale; rates and decay are those of its tensor.
#pragma once

#include <cmath>
#include <cstdint>

#include "base/host_device.hpp"
#include "engine/update.hpp"

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

inline UpdateConstants update_constants(const OptimizerSettings& settings, const UpdateStep& step,
                                        const TensorRate& tensor) {
  UpdateConstants constants;
  constants.rate = tensor.rate;
  constants.decay = tensor.decay;
  constants.inverse_loss_scale = step.inverse_loss_scale;
  constants.momentum = settings.momentum;
  constants.beta1 = settings.beta1;
  constants.beta2 = settings.beta2;
  constants.epsilon = settings.epsilon;
  const double number = static_cast<double>(step.number);
  correct_bias(constants, std::pow(double{settings.beta1}, number), std::pow(double{settings.beta2}, number));
  return constants;
}

// Whether training can go on from this weight. Beyond 2^60 products of weights and activations overflow
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

// PyTorch's torch.optim.SGD (dampening 0, no Nesterov): v ← μ v + g + λ w; w ← w − ε v.
CONVOY_HOST_DEVICE inline void sgd_update(const UpdateConstants& c, float gradient, float& weight,
                                          float& velocity) {
  const float g = gradient * c.inverse_loss_scale + c.decay * weight;
  velocity = settled(c.momentum * velocity + g);
  weight = weight - c.rate * velocity;
}

// Krizhevsky, Sutskever, Hinton 2012, section 5, and Caffe's SGDSolver: v ← μ v − ε λ w − ε g; w ← w + v.
CONVOY_HOST_DEVICE inline void sgd_caffe_update(const UpdateConstants& c, float gradient, float& weight,
                                                float& velocity) {
  const float g = gradient * c.inverse_loss_scale;
  velocity = settled(c.momentum * velocity - c.rate * c.decay * weight - c.rate * g);
  weight = weight + velocity;
}

// Kingma and Ba 2015, algorithm 1, with decay added to the gradient (torch.optim.Adam): ε stands beside √v̂.
CONVOY_HOST_DEVICE inline void adam_update(const UpdateConstants& c, float gradient, float& weight,
                                           float& first, float& second) {
  const float g = gradient * c.inverse_loss_scale + c.decay * weight;
  first = settled(c.beta1 * first + (1.0F - c.beta1) * g);
  second = settled(c.beta2 * second + (1.0F - c.beta2) * g * g);
  weight = weight - c.adam_rate * first / (std::sqrt(second) * c.second_correction + c.epsilon);
}

}  // namespace convoy
