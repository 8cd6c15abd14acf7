#include "engine/cuda/kernels.hpp"
#include "engine/cuda/launch.cuh"

namespace convoy::cuda {

namespace {

// Output may stand where the input was, and the input's gradient where the output's was: every element is
// read by the thread that writes it.
//
// A block takes places of the map one after the other: their channels lie side by side, are read once into
// shared memory, and each thread finds its neighbours there. AlexNet's maps have 96 and 256 channels; with
// fewer than a block's threads several places are taken at once.
struct Places {
  std::int64_t count;
  int channels;
  int at_once;  // places a block takes at a time
};

Places places_of(const MapShape& shape) {
  const std::int64_t count = std::int64_t{shape.rows} * shape.height * shape.width;
  return {count, shape.channels, std::max(1, block_threads / shape.channels)};
}

unsigned blocks_of(const Places& places) {
  return static_cast<unsigned>(
      std::min((places.count + places.at_once - 1) / places.at_once, 8 * most_blocks));
}

// k + α/size · Σ a² over the window around `channel`.
__device__ float window_sum(const float* values, int channel, int channels,
                            const NormalisationConstants& constants) {
  const int half = (constants.size - 1) / 2;
  const int begin = channel - half > 0 ? channel - half : 0;
  const int end = channel - half + constants.size < channels ? channel - half + constants.size : channels;
  float sum = 0;
  for (int c = begin; c < end; ++c) sum += values[c] * values[c];
  return constants.k + constants.alpha / static_cast<float>(constants.size) * sum;
}

// s^−β; β is 0.75 in every network: two square roots instead of a power.
__device__ float negative_power(float s, float beta) {
  if (beta == 0.75F) {
    const float root = rsqrtf(s);
    return root * sqrtf(root);
  }
  return powf(s, -beta);
}

template <typename T>
__global__ void __launch_bounds__(block_threads)
    normalisation_forward_kernel(const T* input, T* output, Places places, NormalisationConstants constants) {
  extern __shared__ float values[];
  const std::int64_t elements = places.count * places.channels;
  const int chunk = places.at_once * places.channels;
  for (std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * places.at_once; first < places.count;
       first += static_cast<std::int64_t>(gridDim.x) * places.at_once) {
    const std::int64_t base = first * places.channels;
    const std::int64_t left = elements - base;
    const int count = left < chunk ? static_cast<int>(left) : chunk;
    for (int i = static_cast<int>(threadIdx.x); i < count; i += block_threads)
      values[i] = load(input[base + i]);
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < count; i += block_threads) {
      const int channel = i % places.channels;
      const float s = window_sum(values + i - channel, channel, places.channels, constants);
      store(output[base + i], values[i] * negative_power(s, constants.beta));
    }
    __syncthreads();
  }
}

// With s = k + α/n Σ a², b = a s^−β:
// dL/da_j = g_j s_j^−β − 2 α β / n · a_j Σ_i g_i a_i s_i^(−β−1) over the i whose window holds j.
template <typename T>
__global__ void __launch_bounds__(block_threads)
    normalisation_backward_kernel(const T* __restrict__ input, const T* output_gradient, T* input_gradient,
                                  Places places, NormalisationConstants constants) {
  extern __shared__ float values[];
  const std::int64_t elements = places.count * places.channels;
  const int chunk = places.at_once * places.channels;
  float* const direct = values + chunk;  // g s^−β
  float* const mixed = direct + chunk;   // g a s^(−β−1)
  const int half = (constants.size - 1) / 2, other_half = constants.size - 1 - half;
  const float factor = 2.0F * constants.alpha * constants.beta / static_cast<float>(constants.size);
  for (std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * places.at_once; first < places.count;
       first += static_cast<std::int64_t>(gridDim.x) * places.at_once) {
    const std::int64_t base = first * places.channels;
    const std::int64_t left = elements - base;
    const int count = left < chunk ? static_cast<int>(left) : chunk;
    for (int i = static_cast<int>(threadIdx.x); i < count; i += block_threads)
      values[i] = load(input[base + i]);
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < count; i += block_threads) {
      const int channel = i % places.channels;
      const float s = window_sum(values + i - channel, channel, places.channels, constants);
      const float g = load(output_gradient[base + i]) * negative_power(s, constants.beta);
      direct[i] = g;
      mixed[i] = g * values[i] / s;
    }
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < count; i += block_threads) {
      const int channel = i % places.channels;
      const float* const around = mixed + i - channel;
      const int begin = channel - other_half > 0 ? channel - other_half : 0;
      const int end = channel + half + 1 < places.channels ? channel + half + 1 : places.channels;
      float sum = 0;
      for (int c = begin; c < end; ++c) sum += around[c];
      store(input_gradient[base + i], direct[i] - factor * values[i] * sum);
    }
    __syncthreads();
  }
}

}  // namespace

void normalisation_forward(cudaStream_t stream, const void* input, void* output, const MapShape& shape,
                           const NormalisationConstants& constants) {
  if (shape.elements() == 0) return;
  const Places places = places_of(shape);
  const std::size_t shared = static_cast<std::size_t>(places.at_once * places.channels) * sizeof(float);
  with_element(shape.element, [&](auto zero) {
    using T = decltype(zero);
    normalisation_forward_kernel<<<blocks_of(places), block_threads, shared, stream>>>(
        static_cast<const T*>(input), static_cast<T*>(output), places, constants);
  });
  check_launch("normalisation_forward");
}

void normalisation_backward(cudaStream_t stream, const void* input, const void* output_gradient,
                            void* input_gradient, const MapShape& shape,
                            const NormalisationConstants& constants) {
  if (shape.elements() == 0) return;
  const Places places = places_of(shape);
  const std::size_t shared = std::size_t{3} * places.at_once * places.channels * sizeof(float);
  with_element(shape.element, [&](auto zero) {
    using T = decltype(zero);
    normalisation_backward_kernel<<<blocks_of(places), block_threads, shared, stream>>>(
        static_cast<const T*>(input), static_cast<const T*>(output_gradient), static_cast<T*>(input_gradient),
        places, constants);
  });
  check_launch("normalisation_backward");
}

}  // namespace convoy::cuda
