#include "engine/cuda/fused_pool.cuh"
#include "engine/cuda/launch.cuh"

namespace convoy::cuda {
namespace fused {

namespace {

template <typename T, int HALF>
__global__ __launch_bounds__(forward_threads, 3) void forward_kernel(const T* __restrict__ input,
                                                                     T* __restrict__ output, Plan plan) {
  extern __shared__ uint4 ring[];
  const Place place = place_of_block(plan);
  const int group = static_cast<int>(threadIdx.x) % plan.groups;
  const int own = static_cast<int>(threadIdx.x) / plan.groups;
  const T* image = input + std::int64_t{place.image} * plan.height * plan.width * plan.channels;
  const int first = place.first_output_column * pool_stride;
  const int columns = (place.output_columns - 1) * pool_stride + pool_window;

  int y = place.first_output_row * pool_stride;
  fill_ring<T, HALF, 1>(image, y, first, columns, plan, ring);
  for (int row = 0; row < place.output_rows; ++row, y += pool_stride) {
    fill_ring<T, HALF, 2>(image, y + 1, first, columns, plan, ring);
    __syncthreads();
    const std::int64_t output_row =
        std::int64_t{place.image} * plan.output_height + place.first_output_row + row;
    for (int x = own; own < plan.columns_at_once && x < place.output_columns; x += plan.columns_at_once) {
      const uint4* corner = ring + x * pool_stride * plan.groups + group;
      Words best;
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
            best.words[w] = Word<T>::larger(best.words[w], candidate.words[w]);
          }
        }
      }
      const std::int64_t position = output_row * plan.output_width + place.first_output_column + x;
      T* result = output + position * plan.channels + group * elements_of_vector<T>;
      *reinterpret_cast<uint4*>(result) = best.all;
    }
    __syncthreads();
  }
}

}  // namespace
}  // namespace fused

void fused_pool_forward(cudaStream_t stream, const void* input, void* output, const FusedPoolShape& shape) {
  const fused::Plan plan = fused::forward_plan(shape);
  const int blocks = fused::blocks(plan, shape.input.rows);
  with_element(shape.input.element, [&](auto zero) {
    using T = decltype(zero);
    fused::with_half(plan, [&](auto neighbours) {
      fused::forward_kernel<T, decltype(neighbours)::value>
          <<<blocks, plan.threads, plan.shared_bytes, stream>>>(static_cast<const T*>(input),
                                                                static_cast<T*>(output), plan);
    });
  });
  check_launch("fused_pool_forward");
}

}  // namespace convoy::cuda
