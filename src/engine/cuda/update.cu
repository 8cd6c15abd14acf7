#include "engine/cuda/kernels.hpp"
#include "engine/cuda/launch.cuh"

namespace convoy::cuda {

namespace {

// A block takes a piece of one tensor, so its constants are read once; four elements a thread and turn.
// Tensors start at multiples of 64 elements and pieces at multiples of 4, so vectors are aligned.
// Says whether the new weights are sound.
template <OptimizerRule Rule, typename Copy>
__device__ bool update_four(const UpdateConstants& c, const UpdateArrays& arrays, std::uint64_t begin,
                            int count) {
  Vector<float> weight, gradient, first, second;
  const bool whole = count == 4;
  if (whole) {
    weight = *reinterpret_cast<const Vector<float>*>(arrays.parameters + begin);
    gradient = *reinterpret_cast<const Vector<float>*>(arrays.gradients + begin);
    first = *reinterpret_cast<const Vector<float>*>(arrays.first + begin);
    if constexpr (Rule == OptimizerRule::adam)
      second = *reinterpret_cast<const Vector<float>*>(arrays.second + begin);
  } else {
    for (int j = 0; j < count; ++j) {
      weight.at[j] = arrays.parameters[begin + j];
      gradient.at[j] = arrays.gradients[begin + j];
      first.at[j] = arrays.first[begin + j];
      if constexpr (Rule == OptimizerRule::adam) second.at[j] = arrays.second[begin + j];
    }
  }
  bool sound = true;
  for (int j = 0; j < count; ++j) {
    if constexpr (Rule == OptimizerRule::sgd) {
      sgd_update(c, gradient.at[j], weight.at[j], first.at[j]);
    } else if constexpr (Rule == OptimizerRule::sgd_caffe) {
      sgd_caffe_update(c, gradient.at[j], weight.at[j], first.at[j]);
    } else {
      adam_update(c, gradient.at[j], weight.at[j], first.at[j], second.at[j]);
    }
    sound = sound && is_sound(weight.at[j]);
  }
  if (whole) {
    *reinterpret_cast<Vector<float>*>(arrays.parameters + begin) = weight;
    *reinterpret_cast<Vector<float>*>(arrays.first + begin) = first;
    if constexpr (Rule == OptimizerRule::adam)
      *reinterpret_cast<Vector<float>*>(arrays.second + begin) = second;
  } else {
    for (int j = 0; j < count; ++j) {
      arrays.parameters[begin + j] = weight.at[j];
      arrays.first[begin + j] = first.at[j];
      if constexpr (Rule == OptimizerRule::adam) arrays.second[begin + j] = second.at[j];
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

template <OptimizerRule Rule, typename Copy>
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
    if constexpr (Rule == OptimizerRule::adam) {
      if (recount) correct_bias(c, power1, power2);
    }
    for (std::uint64_t begin = piece.begin + 4 * threadIdx.x; begin < piece.end; begin += 4 * block_threads) {
      const std::uint64_t left = piece.end - begin;
      sound = update_four<Rule, Copy>(c, arrays, begin, left < 4 ? static_cast<int>(left) : 4) && sound;
    }
  }
  if (!sound) control->unsound_weights = 1;  // whoever writes, writes this
}

template <OptimizerRule Rule>
void launch(cudaStream_t stream, const UpdatePiece* pieces, int count, const UpdateConstants* constants,
            UpdateControl* control, const UpdateArrays& arrays) {
  const auto blocks = static_cast<unsigned>(std::min<std::int64_t>(count, most_blocks));
  if (arrays.copy == nullptr) {
    update_kernel<Rule, float>
        <<<blocks, block_threads, 0, stream>>>(pieces, count, constants, control, arrays);
  } else if (arrays.copy_element == Element::bfloat16) {
    update_kernel<Rule, __nv_bfloat16>
        <<<blocks, block_threads, 0, stream>>>(pieces, count, constants, control, arrays);
  } else {
    update_kernel<Rule, __half>
        <<<blocks, block_threads, 0, stream>>>(pieces, count, constants, control, arrays);
  }
}

}  // namespace

void update(cudaStream_t stream, OptimizerRule rule, const UpdatePiece* pieces, int count,
            const UpdateConstants* constants, UpdateControl* control, const UpdateArrays& arrays) {
  if (count == 0) return;
  switch (rule) {
    case OptimizerRule::sgd:
      launch<OptimizerRule::sgd>(stream, pieces, count, constants, control, arrays);
      break;
    case OptimizerRule::sgd_caffe:
      launch<OptimizerRule::sgd_caffe>(stream, pieces, count, constants, control, arrays);
      break;
    case OptimizerRule::adam:
      launch<OptimizerRule::adam>(stream, pieces, count, constants, control, arrays);
      break;
  }
  check_launch("update");
}

}  // namespace convoy::cuda
