#include "engine/cuda/kernels.hpp"
#include "engine/cuda/launch.cuh"

namespace convoy::cuda {

namespace {

// Where element `i` of the filter over patches is in the layer's own filter; −1: beyond its kernel.
__device__ std::int64_t own_place(const PatchFilter& shape, int side, std::int64_t i) {
  const auto piece = [&](int size) {
    const auto result = static_cast<int>(i % size);
    i /= size;
    return result;
  };
  const int channel = piece(shape.channels);
  const int in_x = piece(shape.patch), in_y = piece(shape.patch);
  const int x = piece(side) * shape.patch + in_x, y = piece(side) * shape.patch + in_y;
  if (x >= shape.kernel || y >= shape.kernel) return -1;
  return ((i * shape.kernel + y) * shape.kernel + x) * shape.channels + channel;
}

// Filters of a first convolution are small (96 × 3 × 3 × 48), so elements are moved one by one.
template <typename T>
__global__ void __launch_bounds__(block_threads)
    to_patches_kernel(const T* __restrict__ filter, PatchFilter shape, int side, std::int64_t count,
                      T* __restrict__ patched) {
  for (std::int64_t i = thread_number(); i < count; i += thread_count()) {
    const std::int64_t from = own_place(shape, side, i);
    if (from >= 0) {
      patched[i] = filter[from];
    } else {
      store(patched[i], 0.0F);
    }
  }
}

template <typename T, bool Add>
__global__ void __launch_bounds__(block_threads)
    from_patches_kernel(const T* __restrict__ patched, PatchFilter shape, int side, std::int64_t count,
                        float* __restrict__ gradient) {
  for (std::int64_t i = thread_number(); i < count; i += thread_count()) {
    const std::int64_t to = own_place(shape, side, i);
    if (to >= 0) gradient[to] = Add ? gradient[to] + load(patched[i]) : load(patched[i]);
  }
}

}  // namespace

void to_patches(cudaStream_t stream, const void* filter, Element element, const PatchFilter& shape,
                void* patched) {
  const std::int64_t count = shape.elements();
  if (count == 0) return;
  with_element(element, [&](auto zero) {
    using T = decltype(zero);
    to_patches_kernel<<<blocks_for(count), block_threads, 0, stream>>>(
        static_cast<const T*>(filter), shape, shape.side(), count, static_cast<T*>(patched));
  });
  check_launch("to_patches");
}

void from_patches(cudaStream_t stream, const void* patched, Element element, const PatchFilter& shape,
                  float* gradient, bool add) {
  const std::int64_t count = shape.elements();
  if (count == 0) return;
  const int side = shape.side();
  with_element(element, [&](auto zero) {
    using T = decltype(zero);
    const T* const values = static_cast<const T*>(patched);
    if (add) {
      from_patches_kernel<T, true>
          <<<blocks_for(count), block_threads, 0, stream>>>(values, shape, side, count, gradient);
    } else {
      from_patches_kernel<T, false>
          <<<blocks_for(count), block_threads, 0, stream>>>(values, shape, side, count, gradient);
    }
  });
  check_launch("from_patches");
}

}  // namespace convoy::cuda
