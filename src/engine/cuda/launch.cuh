// What the engine's own kernels share: elements and vectors of 16 bytes, the shape of a launch, and its
// check. For *.cu of this folder only. (Neither this nor a .cu includes base/error.hpp: nvcc does not take
// fmt.)
//
// Blocks have 256 threads: with at most 64 registers a thread, which all streaming kernels here stay under, a
// multiprocessor of compute capability 8.0, 9.0 or 10.0 (65,536 registers, 2,048 threads) holds at least four
// such blocks, enough loads under way to fill its share of the memory's bandwidth. Launches of streaming
// kernels are cut off at 2,048 blocks (some 15 for each of an H100's 132 multiprocessors) and continue in
// strides.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdint>

#include "device/cuda/check.hpp"
#include "engine/cuda/map.hpp"

namespace convoy::cuda {

constexpr int block_threads = 256;
constexpr std::int64_t most_blocks = 2048;

// Blocks for `work` pieces of a grid-stride loop; at least one.
inline unsigned blocks_for(std::int64_t work) {
  return static_cast<unsigned>(
      std::clamp<std::int64_t>((work + block_threads - 1) / block_threads, 1, most_blocks));
}

// Vectors of 16 bytes that `count` elements make: none when a pointer does not allow them. The elements that
// are left are done one by one.
template <typename T, typename... Pointers>
std::int64_t vectors_in(std::int64_t count, const Pointers*... pointers) {
  const bool aligned = ((reinterpret_cast<std::uintptr_t>(pointers) % 16 == 0) && ...);
  return aligned ? count * static_cast<std::int64_t>(sizeof(T)) / 16 : 0;
}

// Blocks of a loop over vectors and over what they leave.
template <typename T>
unsigned blocks_for_vectors(std::int64_t vectors, std::int64_t count) {
  return blocks_for(std::max(vectors, count - vectors * 16 / static_cast<std::int64_t>(sizeof(T))));
}

inline void check_launch(const char* kernel) {
  check(cudaGetLastError(), kernel);
}

// Calls `work` with a value of the element's type.
template <typename Work>
void with_element(Element element, const Work& work) {
  switch (element) {
    case Element::float32:
      return work(float{});
    case Element::bfloat16:
      return work(__nv_bfloat16{});
    case Element::float16:
      return work(__half{});
  }
}

// The same for the 16-bit elements alone; float32 is not converted.
template <typename Work>
void with_narrow_element(Element element, const Work& work) {
  if (element == Element::bfloat16) return work(__nv_bfloat16{});
  return work(__half{});
}

#ifdef __CUDACC__

__device__ inline float load(float value) {
  return value;
}
__device__ inline float load(__nv_bfloat16 value) {
  return __bfloat162float(value);
}
__device__ inline float load(__half value) {
  return __half2float(value);
}
__device__ inline void store(float& place, float value) {
  place = value;
}
__device__ inline void store(__nv_bfloat16& place, float value) {
  place = __float2bfloat16_rn(value);
}
__device__ inline void store(__half& place, float value) {
  place = __float2half_rn(value);
}

// Sixteen bytes of elements, one load or store.
template <typename T>
struct alignas(16) Vector {
  static constexpr int size = 16 / sizeof(T);
  T at[size];
};

// Threads of the whole launch, and this one's number among them.
__device__ inline std::int64_t thread_number() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline std::int64_t thread_count() {
  return static_cast<std::int64_t>(gridDim.x) * blockDim.x;
}

// Sum over the block in a fixed order (a tree over threads); the result in thread 0. `shared`: block_threads
// values. All threads of the block call it.
template <typename Number>
__device__ Number block_sum(Number mine, Number* shared) {
  const unsigned thread = threadIdx.x;
  shared[thread] = mine;
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (thread < half) shared[thread] += shared[thread + half];
    __syncthreads();
  }
  return shared[0];
}

// An element's position in its map, from its place in memory.
struct MapPlace {
  int row, channel, y, x;
};
__device__ inline MapPlace place_of(const MapShape& shape, std::int64_t index) {
  const std::int64_t row_elements = shape.row_elements();
  const auto row = static_cast<int>(index / row_elements);
  auto rest = static_cast<int>(index - row * row_elements);
  if (shape.layout == Layout::channels_first) {
    const int plane = shape.height * shape.width, channel = rest / plane;
    rest -= channel * plane;
    return {row, channel, rest / shape.width, rest % shape.width};
  }
  const int channel = rest % shape.channels;
  rest /= shape.channels;
  return {row, channel, rest / shape.width, rest % shape.width};
}

#endif

}  // namespace convoy::cuda
