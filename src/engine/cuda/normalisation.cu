#include <limits>

#include "engine/cuda/fused_pool.cuh"
#include "engine/cuda/kernels.hpp"
#include "engine/cuda/launch.cuh"

namespace convoy::cuda {

namespace {

// Two ways. Where channels come in whole vectors of 16 bytes and the constants are those of every network, a
// thread takes a vector, and its neighbouring channels come from the neighbouring lanes (fused_pool.cuh): no
// shared memory, no barriers. It reads what others write, so not in place.
//
// Else, and in place (output where the input was, the input's gradient where the output's was: every element
// is read by the thread that writes it), a block takes places of the map one after the other: their channels
// lie side by side, are read once into shared memory, and each thread finds its neighbours there. AlexNet's
// maps have 96 and 256 channels; with fewer than a block's threads several places are taken at once.
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

template <typename T>
__global__ void __launch_bounds__(block_threads)
    forward_vectors_kernel(const T* __restrict__ input, T* __restrict__ output, int vectors,
                           fused::Plan plan) {
  constexpr int n = fused::elements_of_vector<T>;
  // The same number of turns for every thread: all lanes of a warp exchange values.
  for (int base = static_cast<int>(blockIdx.x) * block_threads; base < vectors;
       base += static_cast<int>(gridDim.x) * block_threads) {
    const int number = base + static_cast<int>(threadIdx.x);
    const bool inside = number < vectors;
    const std::int64_t place = std::int64_t{number} * n;
    fused::Words vector;
    vector.all = make_uint4(0, 0, 0, 0);
    if (inside) vector.all = *reinterpret_cast<const uint4*>(input + place);
    const fused::Words result =
        fused::normalised<T, 2>(vector, input + place, inside, number % plan.groups, plan);
    if (inside) *reinterpret_cast<uint4*>(output + place) = result.all;
  }
}

// dL/da as above. The terms of the two channels on either side are computed here too, from four channels of
// input beside them.
template <typename T>
__device__ fused::Words gradient_of_vector(const float* values, const float* gradients,
                                           const fused::Plan& plan) {
  constexpr int n = fused::elements_of_vector<T>;
  float direct[n + 4], terms[n + 4], result[n];
#pragma unroll
  for (int i = 0; i < n + 4; ++i) {  // channel i − 2: values[i + 2], gradients[i]
    float power, inverse;
    const float sum = fused::window_sum<2, true>(values, i, 2);
    fused::power_and_inverse<2>(fmaf(plan.alpha, sum, plan.k), plan.beta, power, inverse);
    direct[i] = gradients[i] * power;
    terms[i] = direct[i] * values[i + 2] * inverse;
  }
#pragma unroll
  for (int i = 0; i < n; ++i) {
    const float sum = fused::window_sum<2, false>(terms, i, 2);
    result[i] = fmaf(-2 * plan.alpha * plan.beta * values[i + 4], sum, direct[i + 2]);
  }
  return fused::pack<T>(result);
}

template <typename T>
__global__ void __launch_bounds__(block_threads)
    backward_vectors_kernel(const T* __restrict__ input, const T* __restrict__ output_gradient,
                            T* __restrict__ input_gradient, int vectors, fused::Plan plan) {
  constexpr int n = fused::elements_of_vector<T>;
  for (int base = static_cast<int>(blockIdx.x) * block_threads; base < vectors;
       base += static_cast<int>(gridDim.x) * block_threads) {
    const int number = base + static_cast<int>(threadIdx.x), group = number % plan.groups;
    const bool inside = number < vectors;
    const std::int64_t place = std::int64_t{number} * n;
    fused::Words vector, incoming;
    vector.all = incoming.all = make_uint4(0, 0, 0, 0);
    if (inside) {
      vector.all = *reinterpret_cast<const uint4*>(input + place);
      incoming.all = *reinterpret_cast<const uint4*>(output_gradient + place);
    }
    float values[n + 8], gradients[n + 4];
    fused::with_neighbours<T, 4>(vector, input + place, inside, group, plan.groups, values);
    fused::with_neighbours<T, 2>(incoming, output_gradient + place, inside, group, plan.groups, gradients);
    const fused::Words result = gradient_of_vector<T>(values, gradients, plan);
    if (inside) *reinterpret_cast<uint4*>(input_gradient + place) = result.all;
  }
}

// Vectors of the map where their kernels serve, else 0.
template <typename T>
int vectors_of(const MapShape& shape, const NormalisationConstants& constants, const void* input,
               const void* gradient, const void* result) {
  constexpr int n = fused::elements_of_vector<T>;
  if (constants.size != 5 || constants.beta != 0.75F || shape.channels % n != 0) return 0;
  if (result == input || result == gradient) return 0;
  const std::int64_t vectors = vectors_in<T>(shape.elements(), input, gradient, result);
  return vectors > std::numeric_limits<int>::max() - most_blocks * block_threads ? 0
                                                                                 : static_cast<int>(vectors);
}

template <typename T>
fused::Plan plan_of(const MapShape& shape, const NormalisationConstants& constants) {
  fused::Plan plan{};
  plan.groups = shape.channels / fused::elements_of_vector<T>;
  plan.half = constants.size / 2;
  plan.k = constants.k;
  plan.alpha = constants.alpha / static_cast<float>(constants.size);
  plan.beta = constants.beta;
  return plan;
}

}  // namespace

void normalisation_forward(cudaStream_t stream, const void* input, void* output, const MapShape& shape,
                           const NormalisationConstants& constants) {
  if (shape.elements() == 0) return;
  const Places places = places_of(shape);
  const std::size_t shared = static_cast<std::size_t>(places.at_once * places.channels) * sizeof(float);
  with_element(shape.element, [&](auto zero) {
    using T = decltype(zero);
    if (const int vectors = vectors_of<T>(shape, constants, input, nullptr, output); vectors > 0) {
      forward_vectors_kernel<<<blocks_for(vectors), block_threads, 0, stream>>>(
          static_cast<const T*>(input), static_cast<T*>(output), vectors, plan_of<T>(shape, constants));
      return;
    }
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
    if (const int vectors = vectors_of<T>(shape, constants, input, output_gradient, input_gradient);
        vectors > 0) {
      backward_vectors_kernel<<<blocks_for(vectors), block_threads, 0, stream>>>(
          static_cast<const T*>(input), static_cast<const T*>(output_gradient),
          static_cast<T*>(input_gradient), vectors, plan_of<T>(shape, constants));
      return;
    }
    normalisation_backward_kernel<<<blocks_of(places), block_threads, shared, stream>>>(
        static_cast<const T*>(input), static_cast<const T*>(output_gradient), static_cast<T*>(input_gradient),
        places, constants);
  });
  check_launch("normalisation_backward");
}

}  // namespace convoy::cuda
