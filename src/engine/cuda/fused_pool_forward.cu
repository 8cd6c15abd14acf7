#include "engine/cuda/fused_pool.cuh"
#include "engine/cuda/launch.cuh"

namespace convoy::cuda {
namespace fused {

namespace {

// The larger values of a window's nine places, and (CODES) which places they are at: among equal ones the
// first. Without normalisation no_place where the maximum is not positive, so that backward need not see the
// input; with it backward does, as a small value may be rounded to 0 behind the normalisation.
template <typename T, int HALF, bool CODES>
__device__ Words maxima(const uint4* corner, int y, const Plan& plan, std::uint32_t& codes) {
  Words best;
  std::uint32_t places[4] = {};
#pragma unroll
  for (int ky = 0; ky < pool_window; ++ky) {
    const uint4* line = corner + (y + ky) % pool_window * plan.shared_columns * plan.groups;
#pragma unroll
    for (int kx = 0; kx < pool_window; ++kx) {
      Words candidate;
      candidate.all = line[kx * plan.groups];
      if (ky == 0 && kx == 0) {
        best = candidate;
        continue;
      }
#pragma unroll
      for (int w = 0; w < 4; ++w) {
        if constexpr (CODES) {
          Word<T>::take_larger(best.words[w], places[w], candidate.words[w],
                               static_cast<std::uint32_t>(ky * pool_window + kx));
        } else {
          best.words[w] = Word<T>::larger(best.words[w], candidate.words[w]);
        }
      }
    }
  }
  codes = 0;
#pragma unroll
  for (int w = 0; w < 4; ++w) {
    if (CODES && HALF == 0) places[w] = Word<T>::positive_only(best.words[w], places[w]);
    codes |= places[w] << (4 * w);
  }
  return best;
}

template <typename T, int HALF, bool CODES>
__global__ __launch_bounds__(forward_threads,
                             3) void forward_kernel(const T* __restrict__ input, T* __restrict__ output,
                                                    Codes<T>* __restrict__ all_codes, Plan plan) {
  extern __shared__ uint4 ring[];
  const Place place = place_of_block(plan);
  const int group = static_cast<int>(threadIdx.x) % plan.groups;
  const int own = static_cast<int>(threadIdx.x) / plan.groups;
  const T* image = input + std::int64_t{place.image} * plan.height * plan.width * plan.channels;
  const int first = place.first_column * pool_stride;
  const int columns = (place.columns - 1) * pool_stride + pool_window;

  int y = place.first_row * pool_stride;
  fill_ring<T, HALF, 1>(image, y, first, columns, plan, ring);
  for (int row = 0; row < place.rows; ++row, y += pool_stride) {
    fill_ring<T, HALF, 2>(image, y + 1, first, columns, plan, ring);
    __syncthreads();
    const std::int64_t output_row = std::int64_t{place.image} * plan.output_height + place.first_row + row;
    for (int x = own; own < plan.columns_at_once && x < place.columns; x += plan.columns_at_once) {
      const std::int64_t position = output_row * plan.output_width + place.first_column + x;
      std::uint32_t codes;
      const Words best = maxima<T, HALF, CODES>(ring + x * pool_stride * plan.groups + group, y, plan, codes);
      T* result = output + position * plan.channels + group * elements_of_vector<T>;
      *reinterpret_cast<uint4*>(result) = best.all;
      if (CODES) all_codes[position * plan.groups + group] = static_cast<Codes<T>>(codes);
    }
    __syncthreads();
  }
}

}  // namespace
}  // namespace fused

void fused_pool_forward(cudaStream_t stream, const void* input, void* output, void* codes,
                        const FusedPoolShape& shape) {
  const fused::Plan plan = fused::forward_plan(shape);
  const int blocks = fused::blocks(plan, shape.input.rows);
  with_element(shape.input.element, [&](auto zero) {
    using T = decltype(zero);
    fused::with_half(plan, [&](auto neighbours) {
      constexpr int lrn = decltype(neighbours)::value;
      const auto launch = [&](auto* kernel) {
        kernel<<<blocks, plan.threads, plan.shared_bytes, stream>>>(
            static_cast<const T*>(input), static_cast<T*>(output), static_cast<fused::Codes<T>*>(codes),
            plan);
      };
      if (codes != nullptr) {
        launch(&fused::forward_kernel<T, lrn, true>);
      } else {
        launch(&fused::forward_kernel<T, lrn, false>);
      }
    });
  });
  check_launch("fused_pool_forward");
}

}  // namespace convoy::cuda
