#include "data/input_arithmetic.hpp"
#include "engine/cuda/kernels.hpp"
#include "engine/cuda/launch.cuh"

namespace convoy::cuda {

namespace {

// What a launch works on.
struct InputWork {
  const std::uint8_t* images;
  const SampleTransform* transforms;
  const PassParameters* pass;
  InputConstants constants;
  int rows, height, width;  // of the output, zeros around included
  int before, after;
};

// The three channels of pixel `i` of the output, counted through the whole batch.
__device__ void make_pixel(const InputWork& work, std::int64_t i, float* value) {
  const int plane = work.height * work.width;
  const auto row = static_cast<int>(i / plane);
  const auto place = static_cast<int>(i - std::int64_t{row} * plane);
  const int padded_y = place / work.width;
  const int y = padded_y - work.before, x = place - padded_y * work.width - work.before;
  const bool there = row < work.pass->rows && y >= 0 && x >= 0 &&
                     y < work.height - work.before - work.after && x < work.width - work.before - work.after;
  const int side = work.constants.stored_side;
  const StoredImage image{work.images + std::int64_t{3} * side * side * row, work.constants.mean, side,
                          work.constants.mean_image};
  for (int channel = 0; channel < 3; ++channel) {
    value[channel] =
        there ? input_value(image, work.transforms[row], work.constants.scale[channel], channel, y, x) : 0.0F;
  }
}

// channels_last: a thread makes one pixel, so that many loads are under way; the block puts its 256 pixels
// side by side in shared memory and writes them in vectors (three elements a thread would touch each sector
// of 32 bytes several times). 256 pixels are a multiple of 16 bytes, so blocks stay aligned whatever a row's
// size.
template <typename T>
__global__ void __launch_bounds__(block_threads, 4)
    input_pixels_kernel(InputWork work, T* __restrict__ output, bool aligned) {
  __shared__ Vector<T> shared[3 * block_threads / Vector<T>::size];
  T* const staged = shared[0].at;
  const std::int64_t count = static_cast<std::int64_t>(work.rows) * work.height * work.width;
  for (std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * block_threads; first < count;
       first += thread_count()) {
    const std::int64_t i = first + threadIdx.x;
    if (i < count) {
      float value[3];
      make_pixel(work, i, value);
      for (int channel = 0; channel < 3; ++channel) store(staged[3 * threadIdx.x + channel], value[channel]);
    }
    __syncthreads();
    T* const target = output + 3 * first;
    const int elements =
        3 * (count - first < block_threads ? static_cast<int>(count - first) : block_threads);
    const int vectors = aligned ? elements / Vector<T>::size : 0;
    for (int j = static_cast<int>(threadIdx.x); j < vectors; j += block_threads)
      reinterpret_cast<Vector<T>*>(target)[j] = shared[j];
    for (int j = vectors * Vector<T>::size + static_cast<int>(threadIdx.x); j < elements; j += block_threads)
      target[j] = staged[j];
    __syncthreads();
  }
}

// channels_first: a pixel a thread; a warp writes three runs of 32 elements. Planes have odd sizes (227 ·
// 227), so vectors would not be aligned.
template <typename T>
__global__ void __launch_bounds__(block_threads, 4)
    input_planes_kernel(InputWork work, T* __restrict__ output) {
  const std::int64_t plane = static_cast<std::int64_t>(work.height) * work.width, count = work.rows * plane;
  for (std::int64_t i = thread_number(); i < count; i += thread_count()) {
    float value[3];
    make_pixel(work, i, value);
    const std::int64_t row = i / plane;
    for (int channel = 0; channel < 3; ++channel)
      store(output[i + (2 * row + channel) * plane], value[channel]);
  }
}

}  // namespace

void input_stage(cudaStream_t stream, const std::uint8_t* images, const SampleTransform* transforms,
                 const InputConstants& constants, const PassParameters* pass, void* output,
                 const MapShape& shape, int before, int after) {
  const std::int64_t pixels = std::int64_t{shape.rows} * shape.height * shape.width;
  if (pixels == 0) return;
  const InputWork work{images,       transforms,  pass,   constants, shape.rows,
                       shape.height, shape.width, before, after};
  with_element(shape.element, [&](auto zero) {
    using T = decltype(zero);
    T* const elements = static_cast<T*>(output);
    if (shape.layout == Layout::channels_first) {
      input_planes_kernel<<<blocks_for(pixels), block_threads, 0, stream>>>(work, elements);
    } else {
      const bool aligned = vectors_in<float>(4, elements) == 1;
      input_pixels_kernel<<<blocks_for(pixels), block_threads, 0, stream>>>(work, elements, aligned);
    }
  });
  check_launch("input_stage");
}

}  // namespace convoy::cuda
