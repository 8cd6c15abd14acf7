#include <utility>

#include "engine/cuda/kernels.hpp"
#include "engine/cuda/launch.cuh"

namespace convoy::cuda {

namespace {

// The values of one element's slots as the formula takes them.
template <typename Optimizer, std::size_t... Slot>
__device__ void update_element(const UpdateConstants& c, float gradient, float& weight, Vector<float>* slots,
                               int j, std::index_sequence<Slot...>) {
  Optimizer::update(c, gradient, weight, slots[Slot].at[j]...);
}

// A block takes a piece of one tensor, so its constants are read once; four elements a thread and turn.
// Tensors start at multiples of 64 elements and pieces at multiples of 4, so vectors are aligned.
// Says whether the new weights are sound.
template <typename Optimizer, typename Copy>
__device__ bool update_four(const UpdateConstants& c, const UpdateArrays& arrays, std::uint64_t begin,
                            int count) {
  constexpr int slots_used = static_cast<int>(slots_of<Optimizer>);
  Vector<float> weight, gradient, slots[slots_used];
  const bool whole = count == 4;
  if (whole) {
    weight = *reinterpret_cast<const Vector<float>*>(arrays.parameters + begin);
    gradient = *reinterpret_cast<const Vector<float>*>(arrays.gradients + begin);
    for (int slot = 0; slot < slots_used; ++slot)
      slots[slot] = *reinterpret_cast<const Vector<float>*>(arrays.slots[slot] + begin);
  } else {
    for (int j = 0; j < count; ++j) {
      weight.at[j] = arrays.parameters[begin + j];
      gradient.at[j] = arrays.gradients[begin + j];
      for (int slot = 0; slot < slots_used; ++slot) slots[slot].at[j] = arrays.slots[slot][begin + j];
    }
  }
  bool sound = true;
  for (int j = 0; j < count; ++j) {
    update_element<Optimizer>(c, gradient.at[j], weight.at[j], slots, j, SlotNumbers<Optimizer>{});
    sound = sound && is_sound(weight.at[j]);
  }
  if (whole) {
    *reinterpret_cast<Vector<float>*>(arrays.parameters + begin) = weight;
    for (int slot = 0; slot < slots_used; ++slot)
      *reinterpret_cast<Vector<float>*>(arrays.slots[slot] + begin) = slots[slot];
  } else {
    for (int j = 0; j < count; ++j) {
      arrays.parameters[begin + j] = weight.at[j];
      for (int slot = 0; slot < slots_used; ++slot) arrays.slots[slot][begin + j] = slots[slot].at[j];
    }
  }
  if constexpr (sizeof(Copy) == 2) {
    Copy* const copy = static_cast<Copy*>(arrays.copy) + begin;
    if (whole) {
      struct alignas(8) Four {
        Copy at[4];
      } four;
      for (int j = 0; j < 4; ++j) store(four.at[j], weight.at[j]);
      *reinterpret_cast<Four*>(copy) = four;
    } else {
      for (int j = 0; j < count; ++j) store(copy[j], weight.at[j]);
    }
  }
  return sound;
}

template <typename Optimizer, typename Copy>
__global__ void __launch_bounds__(block_threads)
    update_kernel(const UpdatePiece* __restrict__ pieces, int count,
                  const UpdateConstants* __restrict__ constants, UpdateControl* control,
                  UpdateArrays arrays) {
  if (control->apply == 0) return;
  const float inverse_loss_scale = control->inverse_loss_scale;
  [[maybe_unused]] const bool recount = control->recount != 0;
  [[maybe_unused]] const double power1 = control->power1, power2 = control->power2;
  bool sound = true;
  for (int number = static_cast<int>(blockIdx.x); number < count; number += static_cast<int>(gridDim.x)) {
    const UpdatePiece piece = pieces[number];
    UpdateConstants c = constants[piece.tensor];
    c.inverse_loss_scale = inverse_loss_scale;
    if constexpr (Optimizer::corrects_bias) {
      if (recount) correct_bias(c, power1, power2);
    }
    for (std::uint64_t begin = piece.begin + 4 * threadIdx.x; begin < piece.end; begin += 4 * block_threads) {
      const std::uint64_t left = piece.end - begin;
      sound = update_four<Optimizer, Copy>(c, arrays, begin, left < 4 ? static_cast<int>(left) : 4) && sound;
    }
  }
  if (!sound) control->unsound_weights = 1;  // whoever writes, writes this
}

template <typename Optimizer>
void launch(cudaStream_t stream, const UpdatePiece* pieces, int count, const UpdateConstants* constants,
            UpdateControl* control, const UpdateArrays& arrays) {
  const auto blocks = static_cast<unsigned>(std::min<std::int64_t>(count, most_blocks));
  if (arrays.copy == nullptr) {
    update_kernel<Optimizer, float>
        <<<blocks, block_threads, 0, stream>>>(pieces, count, constants, control, arrays);
  } else if (arrays.copy_element == Element::bfloat16) {
    update_kernel<Optimizer, __nv_bfloat16>
        <<<blocks, block_threads, 0, stream>>>(pieces, count, constants, control, arrays);
  } else {
    update_kernel<Optimizer, __half>
        <<<blocks, block_threads, 0, stream>>>(pieces, count, constants, control, arrays);
  }
}

}  // namespace

void update(cudaStream_t stream, OptimizerRule rule, const UpdatePiece* pieces, int count,
            const UpdateConstants* constants, UpdateControl* control, const UpdateArrays& arrays) {
  if (count == 0) return;
  with_optimizer(rule, [&](auto optimizer) {
    launch<decltype(optimizer)>(stream, pieces, count, constants, control, arrays);
  });
  check_launch("update");
}

}  // namespace convoy::cuda
