#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <cstdint>

#include "comm/nccl/wire.hpp"
#include "device/cuda/check.hpp"

namespace convoy::cuda {

namespace {

constexpr unsigned block_threads = 256;
constexpr std::size_t most_blocks = 1024;  // fills any GPU; the rest is the loop's

template <typename Narrow>
struct Conversion;

template <>
struct Conversion<__nv_bfloat16> {
  using Pair = __nv_bfloat162;
  static __device__ __nv_bfloat16 narrow(float value) { return __float2bfloat16_rn(value); }
  static __device__ Pair narrow(float a, float b) { return __floats2bfloat162_rn(a, b); }
  static __device__ float widen(__nv_bfloat16 value) { return __bfloat162float(value); }
  static __device__ float2 widen(Pair pair) { return __bfloat1622float2(pair); }
};

template <>
struct Conversion<__half> {
  using Pair = __half2;
  static __device__ __half narrow(float value) { return __float2half_rn(value); }
  static __device__ Pair narrow(float a, float b) { return __floats2half2_rn(a, b); }
  static __device__ float widen(__half value) { return __half2float(value); }
  static __device__ float2 widen(Pair pair) { return __half22float2(pair); }
};

// Four neighbours in 16 bits, moved as one word of 8 bytes.
template <typename Narrow>
union Four {
  uint2 word;
  typename Conversion<Narrow>::Pair pairs[2];
  __device__ Four() : word() {}
};

// `count4` groups of four from the front, then single elements up to `count`.
template <typename Narrow>
__global__ void narrow_kernel(const float* __restrict__ in, float scale, Narrow* __restrict__ out,
                              std::size_t count4, std::size_t count) {
  using Convert = Conversion<Narrow>;
  const std::size_t first = blockIdx.x * std::size_t{blockDim.x} + threadIdx.x;
  const std::size_t stride = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = first; i < count4; i += stride) {
    const float4 values = reinterpret_cast<const float4*>(in)[i];
    Four<Narrow> four;
    four.pairs[0] = Convert::narrow(scale * values.x, scale * values.y);
    four.pairs[1] = Convert::narrow(scale * values.z, scale * values.w);
    reinterpret_cast<uint2*>(out)[i] = four.word;
  }
  for (std::size_t i = 4 * count4 + first; i < count; i += stride) out[i] = Convert::narrow(scale * in[i]);
}

template <typename Narrow>
__global__ void widen_kernel(const Narrow* __restrict__ in, float factor, float* __restrict__ out,
                             std::size_t count4, std::size_t count) {
  using Convert = Conversion<Narrow>;
  const std::size_t first = blockIdx.x * std::size_t{blockDim.x} + threadIdx.x;
  const std::size_t stride = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = first; i < count4; i += stride) {
    Four<Narrow> four;
    four.word = reinterpret_cast<const uint2*>(in)[i];
    const float2 low = Convert::widen(four.pairs[0]), high = Convert::widen(four.pairs[1]);
    reinterpret_cast<float4*>(out)[i] = {factor * low.x, factor * low.y, factor * high.x, factor * high.y};
  }
  for (std::size_t i = 4 * count4 + first; i < count; i += stride) out[i] = factor * Convert::widen(in[i]);
}

struct Extent {
  std::size_t count4;  // groups of four that can be moved as one word
  unsigned blocks;
};

// Slices begin where a parameter does, which need not be at a multiple of four elements.
Extent extent_of(const float* values, std::size_t count) {
  const bool aligned = reinterpret_cast<std::uintptr_t>(values) % sizeof(float4) == 0;
  const std::size_t items = aligned ? (count + 3) / 4 : count;
  const std::size_t blocks = std::min((items + block_threads - 1) / block_threads, most_blocks);
  return {aligned ? count / 4 : 0, static_cast<unsigned>(blocks)};
}

template <typename Narrow>
void launch_narrow(std::span<const float> values, float scale, void* out, cudaStream_t stream) {
  const Extent extent = extent_of(values.data(), values.size());
  narrow_kernel<<<extent.blocks, block_threads, 0, stream>>>(values.data(), scale, static_cast<Narrow*>(out),
                                                             extent.count4, values.size());
}

template <typename Narrow>
void launch_widen(const void* in, float factor, std::span<float> values, cudaStream_t stream) {
  const Extent extent = extent_of(values.data(), values.size());
  widen_kernel<<<extent.blocks, block_threads, 0, stream>>>(static_cast<const Narrow*>(in), factor,
                                                            values.data(), extent.count4, values.size());
}

}  // namespace

void to_wire(WireType type, std::span<const float> values, float scale, void* out, cudaStream_t stream) {
  if (values.empty()) return;
  if (type == WireType::bf16) {
    launch_narrow<__nv_bfloat16>(values, scale, out, stream);
  } else {
    launch_narrow<__half>(values, scale, out, stream);
  }
  check(cudaGetLastError(), "rounding gradients to 16 bits");
}

void from_wire(WireType type, const void* in, float scale, std::span<float> values, cudaStream_t stream) {
  if (values.empty()) return;
  if (type == WireType::bf16) {
    launch_widen<__nv_bfloat16>(in, 1 / scale, values, stream);
  } else {
    launch_widen<__half>(in, 1 / scale, values, stream);
  }
  check(cudaGetLastError(), "widening gradients from 16 bits");
}

}  // namespace convoy::cuda
