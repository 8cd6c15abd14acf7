#include <cfloat>

#include "engine/cuda/kernels.hpp"
#include "engine/cuda/launch.cuh"

namespace convoy::cuda {

namespace {

__device__ std::int64_t index_of(const MapShape& shape, const MapPlace& place) {
  const std::int64_t row = static_cast<std::int64_t>(place.row) * shape.row_elements();
  if (shape.layout == Layout::channels_first)
    return row + (static_cast<std::int64_t>(place.channel) * shape.height + place.y) * shape.width + place.x;
  return row + (static_cast<std::int64_t>(place.y) * shape.width + place.x) * shape.channels + place.channel;
}

// These maps are small (32 × 32 and below in every network that needs them), so elements are moved one by
// one.
template <typename T>
__global__ void __launch_bounds__(block_threads)
    pad_kernel(const T* __restrict__ input, MapShape shape, MapShape padded, int before, float fill,
               T* __restrict__ output) {
  const std::int64_t count = padded.elements();
  for (std::int64_t i = thread_number(); i < count; i += thread_count()) {
    MapPlace place = place_of(padded, i);
    place.y -= before;
    place.x -= before;
    const bool inside = place.y >= 0 && place.y < shape.height && place.x >= 0 && place.x < shape.width;
    if (inside) {
      output[i] = input[index_of(shape, place)];
    } else {
      store(output[i], fill);
    }
  }
}

template <typename T>
__global__ void __launch_bounds__(block_threads)
    unpad_kernel(const T* __restrict__ input, MapShape shape, MapShape padded, int before,
                 T* __restrict__ output) {
  const std::int64_t count = shape.elements();
  for (std::int64_t i = thread_number(); i < count; i += thread_count()) {
    MapPlace place = place_of(shape, i);
    place.y += before;
    place.x += before;
    output[i] = input[index_of(padded, place)];
  }
}

MapShape padded_shape(MapShape shape, int before, int after) {
  shape.height += before + after;
  shape.width += before + after;
  return shape;
}

// The lowest finite value of the element: a maximum never takes it where a window holds anything else.
float lowest(Element element) {
  return element == Element::float16 ? -65504.0F : element == Element::bfloat16 ? -3.3895314e38F : -FLT_MAX;
}

}  // namespace

void pad(cudaStream_t stream, const void* input, const MapShape& shape, int before, int after, Fill fill,
         void* output) {
  const MapShape padded = padded_shape(shape, before, after);
  if (padded.elements() == 0) return;
  const float value = fill == Fill::zero ? 0.0F : lowest(shape.element);
  with_element(shape.element, [&](auto zero) {
    using T = decltype(zero);
    pad_kernel<<<blocks_for(padded.elements()), block_threads, 0, stream>>>(
        static_cast<const T*>(input), shape, padded, before, value, static_cast<T*>(output));
  });
  check_launch("pad");
}

void unpad(cudaStream_t stream, const void* padded, const MapShape& shape, int before, int after,
           void* output) {
  if (shape.elements() == 0) return;
  with_element(shape.element, [&](auto zero) {
    using T = decltype(zero);
    unpad_kernel<<<blocks_for(shape.elements()), block_threads, 0, stream>>>(
        static_cast<const T*>(padded), shape, padded_shape(shape, before, after), before,
        static_cast<T*>(output));
  });
  check_launch("unpad");
}

}  // namespace convoy::cuda
