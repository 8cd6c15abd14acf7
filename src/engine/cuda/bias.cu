#include "engine/cuda/kernels.hpp"
#include "engine/cuda/launch.cuh"

namespace convoy::cuda {

namespace {

__device__ float with_bias(float value, float bias, bool relu) {
  const float sum = value + bias;
  return relu && sum < 0.0F ? 0.0F : sum;  // a NaN stays, so that it is seen in the loss
}

// channels_last, with channels in whole vectors: `groups` vectors of bias lie behind each other at each
// place.
template <typename T>
__global__ void __launch_bounds__(block_threads)
    add_bias_vectors(T* __restrict__ map, const T* __restrict__ bias, bool relu, unsigned vectors,
                     unsigned groups) {
  const auto stride = static_cast<unsigned>(thread_count());
  for (auto i = static_cast<unsigned>(thread_number()); i < vectors; i += stride) {
    Vector<T>& target = reinterpret_cast<Vector<T>*>(map)[i];
    Vector<T> values = target;
    const Vector<T> biases = reinterpret_cast<const Vector<T>*>(bias)[i % groups];
    for (int j = 0; j < Vector<T>::size; ++j)
      store(values.at[j], with_bias(load(values.at[j]), load(biases.at[j]), relu));
    target = values;
  }
}

// Any map: the channel of element i is i / plane % channels, with a plane of one element in channels_last.
template <typename T>
__global__ void __launch_bounds__(block_threads)
    add_bias_elements(T* __restrict__ map, const T* __restrict__ bias, bool relu, unsigned count,
                      unsigned plane, unsigned channels) {
  const auto stride = static_cast<unsigned>(thread_count());
  for (auto i = static_cast<unsigned>(thread_number()); i < count; i += stride)
    store(map[i], with_bias(load(map[i]), load(bias[i / plane % channels]), relu));
}

}  // namespace

// Elements and strides are counted in 32 bits: a map has fewer than 2^31 elements (most_map_elements).
void add_bias(cudaStream_t stream, void* map, const void* bias, bool relu, const MapShape& shape) {
  const std::int64_t count = shape.elements();
  if (count == 0) return;
  with_element(shape.element, [&](auto zero) {
    using T = decltype(zero);
    auto* const target = static_cast<T*>(map);
    const auto* const biases = static_cast<const T*>(bias);
    const bool last = shape.layout == Layout::channels_last;
    if (last && shape.channels % Vector<T>::size == 0 &&
        vectors_in<T>(Vector<T>::size, target, biases) == 1) {
      const std::int64_t vectors = count / Vector<T>::size;
      add_bias_vectors<<<blocks_for(vectors), block_threads, 0, stream>>>(
          target, biases, relu, static_cast<unsigned>(vectors),
          static_cast<unsigned>(shape.channels / Vector<T>::size));
    } else {
      const int plane = last ? 1 : shape.height * shape.width;
      add_bias_elements<<<blocks_for(count), block_threads, 0, stream>>>(
          target, biases, relu, static_cast<unsigned>(count), static_cast<unsigned>(plane),
          static_cast<unsigned>(shape.channels));
    }
  });
  check_launch("add_bias");
}

}  // namespace convoy::cuda
