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
// Says whether the new weights are sound, and adds the squares of the gradients where they are asked for.
template <typename Optimizer, typename Copy, bool Inspects>
__device__ bool update_four(const UpdateConstants& c, const UpdateArrays& arrays, std::uint64_t begin,
                            int count, double& squares) {
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
    if constexpr (Inspects)
      squares += static_cast<double>(gradient.at[j]) * static_cast<double>(gradient.at[j]);
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

template <typename Optimizer, typename Copy, bool Inspects>
__global__ void __launch_bounds__(block_threads)
    update_kernel(const UpdatePiece* __restrict__ pieces, int count,
                  const UpdateConstants* __restrict__ constants, UpdateControl* control, UpdateArrays arrays,
                  double* __restrict__ squares) {
  [[maybe_unused]] float inverse_loss_scale = 1;
  [[maybe_unused]] bool recount = false;
  [[maybe_unused]] double power1 = 0, power2 = 0;
  if constexpr (!Inspects) {
    if (control->apply == 0) return;
    inverse_loss_scale = control->inverse_loss_scale;
    recount = control->recount != 0;
    power1 = control->power1;
    power2 = control->power2;
  }
  bool sound = true;
  for (int number = static_cast<int>(blockIdx.x); number < count; number += static_cast<int>(gridDim.x)) {
    const UpdatePiece piece = pieces[number];
    UpdateConstants c = constants[piece.tensor];
    if constexpr (!Inspects) c.inverse_loss_scale = inverse_loss_scale;
    if constexpr (!Inspects && Optimizer::corrects_bias) {
      if (recount) correct_bias(c, power1, power2);
    }
    double mine = 0;
    for (std::uint64_t begin = piece.begin + 4 * threadIdx.x; begin < piece.end; begin += 4 * block_threads) {
      const std::uint64_t left = piece.end - begin;
      sound = update_four<Optimizer, Copy, Inspects>(c, arrays, begin, left < 4 ? static_cast<int>(left) : 4,
                                                     mine) &&
              sound;
    }
    if constexpr (Inspects) {
      __shared__ double shared[block_threads];
      const double total = block_sum(mine, shared);
      if (threadIdx.x == 0) squares[number] = total;
    }
  }
  if (!sound) control->unsound_weights = 1;  // whoever writes, writes this
}

template <typename Optimizer, bool Inspects>
void launch(cudaStream_t stream, const UpdatePiece* pieces, int count, const UpdateConstants* constants,
            UpdateControl* control, const UpdateArrays& arrays, double* squares) {
  const auto blocks = static_cast<unsigned>(std::min<std::int64_t>(count, most_blocks));
  if (arrays.copy == nullptr) {
    update_kernel<Optimizer, float, Inspects>
        <<<blocks, block_threads, 0, stream>>>(pieces, count, constants, control, arrays, squares);
  } else if (arrays.copy_element == Element::bfloat16) {
    update_kernel<Optimizer, __nv_bfloat16, Inspects>
        <<<blocks, block_threads, 0, stream>>>(pieces, count, constants, control, arrays, squares);
  } else {
    update_kernel<Optimizer, __half, Inspects>
        <<<blocks, block_threads, 0, stream>>>(pieces, count, constants, control, arrays, squares);
  }
}

}  // namespace

void update(cudaStream_t stream, OptimizerRule rule, const UpdatePiece* pieces, int count,
            const UpdateConstants* constants, UpdateControl* control, const UpdateArrays& arrays,
            double* squares) {
  if (count == 0) return;
  with_optimizer(rule, [&](auto optimizer) {
    using Optimizer = decltype(optimizer);
    if (squares != nullptr) {
      launch<Optimizer, true>(stream, pieces, count, constants, control, arrays, squares);
    } else {
      launch<Optimizer, false>(stream, pieces, count, constants, control, arrays, nullptr);
    }
  });
  check_launch("update");
}

}  // namespace convoy::cuda
