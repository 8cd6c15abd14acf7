// What both directions of the fused LRN and max-pool share: how a map is cut into blocks, the vectors of 16
// bytes that a thread works on, and the normalisation of one. For fused_pool_*.cu
// and normalisation.cu.
//
// A thread keeps one group of channels (16 bytes); the neighbouring channels that LRN needs lie in the
// neighbouring lanes. Blocks walk down bands of one image, in tiles of its width. Forward, a band is of
// output rows, and the three input rows under a window lie in shared memory, so each input value is
// normalised once (but for the rows and columns that neighbours share). Backward, it is of pairs of input
// rows: a thread takes the four places of a pair of rows and columns, which lie under four windows, two of
// which it has loaded for the pair above.
//
// The codes that forward leaves say which of a window's nine places holds the maximum: 4 bits for each
// channel of a group, in one word for a group, so that neighbouring threads access neighbouring words.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <type_traits>

#include "engine/cuda/fused_pool.hpp"

namespace convoy::cuda::fused {

constexpr int pool_window = 3, pool_stride = 2;
constexpr int most_half = 4;  // LRN windows of 3, 5, 7 and 9
constexpr unsigned unasked_shared_bytes =
    48 * 1024;  // what a block may have without asking, on every architecture
// Blocks that run at the same time on an H100: three on each of its 132 multiprocessors (other devices take
// the same cut, so that sums do not depend on the device).
constexpr int blocks_at_once = 396;

// How a launch cuts its map, and the constants of the normalisation.
struct Plan {
  int channels, height, width, output_height, output_width;
  int groups;            // vectors of 16 bytes at a place of the map
  int rows, columns;     // that are divided: of the output, backward pairs of the input's
  int tiles;             // across
  int tile_columns;      // columns of a tile; the last may have fewer
  int bands;             // down
  int band_rows;         // rows of a band; the last may have fewer
  int shared_columns;    // input columns in shared memory; forward only
  int columns_at_once;   // columns × groups ≤ threads
  int threads;           // of a block, whole warps
  bool straddles_warps;  // whether the channels of a place may lie in two warps
  unsigned shared_bytes;
  int half;              // LRN looks at channels c − half … c + half
  float k, alpha, beta;  // alpha divided by the window's size
};

// Both throw ExitCode::bug for a shape that is not served (fused_pool_plan.cpp).
Plan forward_plan(const FusedPoolShape& shape);
Plan backward_plan(const FusedPoolShape& shape);
// Backward 224, as two times 14 pairs of columns of conv1 … conv5 fill them.
constexpr int forward_threads = 256, backward_threads = 224;
inline int blocks(const Plan& plan, int rows) {
  return rows * plan.bands * plan.tiles;
}

// Calls `work` with the number of the normalisation's kernel (see HALF below).
template <typename Work>
void with_half(const Plan& plan, const Work& work) {
  if (plan.half == 0) return work(std::integral_constant<int, 0>{});
  if (plan.half == 2 && plan.beta == 0.75F) return work(std::integral_constant<int, 2>{});
  work(std::integral_constant<int, most_half>{});
}

// The position of a block.
struct Place {
  int image, first_row, rows, first_column, columns;
};

#ifdef __CUDACC__

__device__ inline Place place_of_block(const Plan& plan) {
  const int tile = static_cast<int>(blockIdx.x) % plan.tiles,
            rest = static_cast<int>(blockIdx.x) / plan.tiles;
  const int band = rest % plan.bands;
  Place place;
  place.image = rest / plan.bands;
  place.first_row = band * plan.band_rows;
  place.rows = min(plan.band_rows, plan.rows - place.first_row);
  place.first_column = tile * plan.tile_columns;
  place.columns = min(plan.tile_columns, plan.columns - place.first_column);
  return place;
}

// 16 bytes of a map, as words of two elements of 16 bits or one of 32.
union Words {
  uint4 all;
  std::uint32_t words[4];
};

template <typename T>
constexpr int elements_of_vector = 16 / static_cast<int>(sizeof(T));
template <typename T>
constexpr int elements_of_word = 4 / static_cast<int>(sizeof(T));

// The codes of a group: that of channel i at bit code_shift<T>(i). 16-bit channels lie in pairs in a word of
// the map, and so do their codes in the halves of the code word.
template <typename T>
using Codes = std::conditional_t<sizeof(T) == 2, std::uint32_t, std::uint16_t>;
template <typename T>
__device__ constexpr int code_shift(int channel) {
  return sizeof(T) == 2 ? channel / 2 * 4 + channel % 2 * 16 : channel * 4;
}
// `code` for each channel of a word of the map, before it is shifted to its word's place.
template <typename T>
__device__ constexpr std::uint32_t code_lanes(std::uint32_t code) {
  return sizeof(T) == 2 ? code * 0x00010001U : code;
}
constexpr std::uint32_t no_place = 15;

template <typename T>
struct Word;
template <>
struct Word<float> {
  static __device__ void unpack(std::uint32_t word, float* values) { values[0] = __uint_as_float(word); }
  static __device__ std::uint32_t pack(const float* values) { return __float_as_uint(values[0]); }
  // NaN wins, so that an overflow is not lost on its way to the loss.
  static __device__ std::uint32_t larger(std::uint32_t a, std::uint32_t b) {
    const float x = __uint_as_float(a), y = __uint_as_float(b);
    return y > x || y != y ? b : a;
  }
  // `best` and the codes of its places become the candidate's where that is larger.
  static __device__ void take_larger(std::uint32_t& best, std::uint32_t& codes, std::uint32_t candidate,
                                     std::uint32_t code) {
    const float x = __uint_as_float(best), y = __uint_as_float(candidate);
    const bool larger = y > x || y != y;
    best = larger ? candidate : best;
    codes = larger ? code : codes;
  }
  // no_place where the value is not positive.
  static __device__ std::uint32_t positive_only(std::uint32_t best, std::uint32_t codes) {
    return __uint_as_float(best) > 0 ? codes : no_place;
  }
};

// What the words of both elements of 16 bits have in common. `Pair`: a word as two elements.
template <typename T, typename Pair>
struct PairWord {
  static __device__ Pair pair_of(std::uint32_t word) { return reinterpret_cast<const Pair&>(word); }
  static __device__ std::uint32_t word_of(const Pair& pair) {
    return reinterpret_cast<const std::uint32_t&>(pair);
  }
  static __device__ std::uint32_t larger(std::uint32_t a, std::uint32_t b) {
    return word_of(__hmax2_nan(pair_of(a), pair_of(b)));
  }
  static __device__ void take_larger(std::uint32_t& best, std::uint32_t& codes, std::uint32_t candidate,
                                     std::uint32_t code) {
    const std::uint32_t mask = mask_of_larger(candidate, best);
    best = larger(best, candidate);
    codes = (mask & code_lanes<T>(code)) | (~mask & codes);
  }
  static __device__ std::uint32_t positive_only(std::uint32_t best, std::uint32_t codes) {
    const std::uint32_t mask = mask_of_larger(best, 0);
    return (mask & codes) | (~mask & code_lanes<T>(no_place));
  }
  // All ones in the halves in which a > b; a NaN never is.
  static __device__ std::uint32_t mask_of_larger(std::uint32_t a, std::uint32_t b) {
    return __hgt2_mask(pair_of(a), pair_of(b));
  }
};
template <>
struct Word<__nv_bfloat16> : PairWord<__nv_bfloat16, __nv_bfloat162> {
  static __device__ void unpack(std::uint32_t word, float* values) {
    values[0] = __uint_as_float(word << 16);
    values[1] = __uint_as_float(word & 0xffff0000U);
  }
  static __device__ std::uint32_t pack(const float* values) {
    return word_of(__floats2bfloat162_rn(values[0], values[1]));
  }
};
template <>
struct Word<__half> : PairWord<__half, __half2> {
  static __device__ void unpack(std::uint32_t word, float* values) {
    const float2 pair = __half22float2(pair_of(word));
    values[0] = pair.x;
    values[1] = pair.y;
  }
  static __device__ std::uint32_t pack(const float* values) {
    return word_of(__floats2half2_rn(values[0], values[1]));
  }
};

template <typename T>
__device__ void unpack(const Words& vector, float* values) {
#pragma unroll
  for (int w = 0; w < 4; ++w) Word<T>::unpack(vector.words[w], values + w * elements_of_word<T>);
}
template <typename T>
__device__ Words pack(const float* values) {
  Words vector;
#pragma unroll
  for (int w = 0; w < 4; ++w) vector.words[w] = Word<T>::pack(values + w * elements_of_word<T>);
  return vector;
}

// The vector's values at [HALF, HALF + n) of `values` and HALF channels of each neighbour beside them, 0
// beyond the first and last channel. Every lane of the warp calls it; `memory` is where the vector lies, read
// only by the warp's first and last lane, whose neighbours are in another warp. `inside`: it lies in the map.
template <typename T, int HALF>
__device__ void with_neighbours(const Words& vector, const T* memory, bool inside, int group, int groups,
                                float* values) {
  constexpr int word_count = HALF / elements_of_word<T>;
  const unsigned lane = threadIdx.x % 32;
  const bool first = group == 0, last = group == groups - 1;
#pragma unroll
  for (int w = 0; w < word_count; ++w) {
    std::uint32_t before = __shfl_up_sync(0xffffffffU, vector.words[4 - word_count + w], 1);
    std::uint32_t after = __shfl_down_sync(0xffffffffU, vector.words[w], 1);
    const std::uint32_t* words = reinterpret_cast<const std::uint32_t*>(memory);
    if (lane == 0 && inside && !first) before = words[w - word_count];
    if (lane == 31 && inside && !last) after = words[4 + w];
    Word<T>::unpack(first ? 0 : before, values + w * elements_of_word<T>);
    Word<T>::unpack(last ? 0 : after, values + HALF + elements_of_vector<T> + w * elements_of_word<T>);
  }
  unpack<T>(vector, values + HALF);
}

// Kernels are compiled for three normalisations: HALF = 0 is none, HALF = 2 a window of 5 with β = 0.75,
// which is every network's, HALF = 4 any odd window up to 9 and any β.

// Σ over the window around channel i of `values` (whose first is channel −HALF): of their squares, or as they
// are.
template <int HALF, bool SQUARES>
__device__ float window_sum(const float* values, int i, int reach) {
  float sum = 0;
#pragma unroll
  for (int d = -HALF; d <= HALF; ++d) {
    const float value = values[i + HALF + d];
    if (HALF == 4 && (d < 0 ? -d : d) > reach) continue;
    sum = SQUARES ? fmaf(value, value, sum) : sum + value;
  }
  return sum;
}

// s^−β and 1/s for s > 0; β = 0.75 as 1/√s · √(1/√s).
template <int HALF>
__device__ void power_and_inverse(float s, [[maybe_unused]] float beta, float& power, float& inverse) {
  float root;
  asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(root) : "f"(s));
  inverse = root * root;
  if constexpr (HALF == 2) {
    float fourth;
    asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(fourth) : "f"(root));
    power = root * fourth;
  } else {
    power = __powf(s, -beta);
  }
}

// The normalised values of one vector, rounded to T.
template <typename T, int HALF>
__device__ Words normalised(const Words& vector, const T* memory, bool inside, int group, const Plan& plan) {
  if constexpr (HALF == 0) {
    return vector;
  } else {
    constexpr int n = elements_of_vector<T>;
    float values[n + 2 * HALF], result[n];
    with_neighbours<T, HALF>(vector, memory, inside, group, plan.groups, values);
#pragma unroll
    for (int i = 0; i < n; ++i) {
      float power, inverse;
      const float sum = window_sum<HALF, true>(values, i, plan.half);
      power_and_inverse<HALF>(fmaf(plan.alpha, sum, plan.k), plan.beta, power, inverse);
      result[i] = values[i + HALF] * power;
    }
    return pack<T>(result);
  }
}

// Normalises input rows y … y + ROWS − 1, columns [first, first + count), into their places in `ring`, which
// holds three rows (row y at y mod 3); 0 beyond the map, where the pool is padded. Called by the whole block.
template <typename T, int HALF, int ROWS>
__device__ void fill_ring(const T* image, int y, int first, int count, const Plan& plan, uint4* ring) {
  const int group = static_cast<int>(threadIdx.x) % plan.groups;
  const int own = static_cast<int>(threadIdx.x) / plan.groups;
  for (int base = 0; base < count; base += plan.columns_at_once) {
    const int column = base + own;
    const bool inside = own < plan.columns_at_once && column < count;
    const T* memory[ROWS];
    bool there[ROWS];
    Words vectors[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
      const int place = (y + r) * plan.width + first + column;
      memory[r] = image + place * plan.channels + group * elements_of_vector<T>;
      there[r] = inside && y + r < plan.height && first + column < plan.width;
      vectors[r].all = make_uint4(0, 0, 0, 0);
      if (there[r]) vectors[r].all = *reinterpret_cast<const uint4*>(memory[r]);
    }
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
      const Words result = normalised<T, HALF>(vectors[r], memory[r], there[r], group, plan);
      if (inside) {
        ring[((y + r) % pool_window * plan.shared_columns + column) * plan.groups + group] = result.all;
      }
    }
  }
}

#endif

}  // namespace convoy::cuda::fused
