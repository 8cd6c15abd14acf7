#include "engine/cuda/fused_pool.cuh"
#include "engine/cuda/launch.cuh"

namespace convoy::cuda {
namespace fused {

namespace {

// A block's shared memory.
struct Shared {
  uint4* ring;           // three rows of normalised values
  std::uint32_t* codes;  // two rows of output windows (row y at y mod 2): 4 bits a channel
  float* edges;          // [2][warps][2][HALF]: what lanes of other warps need
};

__device__ Shared divide(uint4* memory, const Plan& plan) {
  Shared shared;
  shared.ring = memory;
  shared.codes = reinterpret_cast<std::uint32_t*>(memory + pool_window * plan.shared_columns * plan.groups);
  shared.edges = reinterpret_cast<float*>(shared.codes + 2 * plan.shared_windows * plan.groups);
  return shared;
}

// What a thread carries down its band.
struct Walk {
  int group, own;             // its channels, and its place among the columns worked on at once
  int first_window, windows;  // output columns whose windows the block looks at
  int first_column, columns;  // input columns under them
  int first_result, results;  // input columns whose gradient the block writes
  int exchanges = 0;          // at which half of Shared::edges the next exchange takes place
};

__device__ Walk walk_of(const Place& place, const Plan& plan) {
  Walk walk;
  walk.group = static_cast<int>(threadIdx.x) % plan.groups;
  walk.own = static_cast<int>(threadIdx.x) / plan.groups;
  walk.first_window = max(place.first_output_column - 1, 0);
  walk.windows = place.first_output_column + place.output_columns - walk.first_window;
  walk.first_column = walk.first_window * pool_stride;
  walk.columns = (walk.windows - 1) * pool_stride + pool_window;
  walk.first_result = place.first_output_column * pool_stride;
  walk.results = (place.last_tile ? plan.width : walk.first_result + place.output_columns * pool_stride) -
                 walk.first_result;
  return walk;
}

// Which of a window's nine places holds each channel's maximum: 8 − place in 4 bits, so that among equal
// values the first place has the largest code. Values are not negative, so their bits order as they do.
template <typename T>
__device__ std::uint32_t codes_of_window(const uint4* const lines[pool_window], int groups) {
  constexpr int n = elements_of_vector<T>;
  std::int32_t best[n];
  std::uint32_t codes = 0;
#pragma unroll
  for (int place = 0; place < pool_window * pool_window; ++place) {
    const std::uint32_t code = pool_window * pool_window - 1 - place;
    Words candidate;
    candidate.all = lines[place / pool_window][place % pool_window * groups];
#pragma unroll
    for (int w = 0; w < 4; ++w) {
      if constexpr (sizeof(T) == 2) {
        // The value in the upper half, the code in the lower: one comparison takes both.
        const auto low = static_cast<std::int32_t>(candidate.words[w] << 16 | code);
        const auto high = static_cast<std::int32_t>((candidate.words[w] & 0xffff0000U) | code);
        best[2 * w] = place == 0 ? low : max(best[2 * w], low);
        best[2 * w + 1] = place == 0 ? high : max(best[2 * w + 1], high);
      } else {
        const auto value = static_cast<std::int32_t>(candidate.words[w]);
        const bool larger = place == 0 || value > best[w];
        best[w] = larger ? value : best[w];
        const std::uint32_t mask = 15U << (4 * w);
        codes = larger ? (codes & ~mask) | code << (4 * w) : codes;
      }
    }
  }
  if constexpr (sizeof(T) == 2) {
#pragma unroll
    for (int i = 0; i < n; ++i) codes |= (static_cast<std::uint32_t>(best[i]) & 15U) << (4 * i);
  }
  return codes;
}

// The codes of output row `row`, whose input rows are in the ring.
template <typename T>
__device__ void find_maxima(int row, const Walk& walk, const Plan& plan, const Shared& shared) {
  if (walk.own >= plan.columns_at_once) return;
  for (int x = walk.own; x < walk.windows; x += plan.columns_at_once) {
    const uint4* lines[pool_window];
#pragma unroll
    for (int ky = 0; ky < pool_window; ++ky) {
      const int line = (row * pool_stride + ky) % pool_window * plan.shared_columns + x * pool_stride;
      lines[ky] = shared.ring + line * plan.groups + walk.group;
    }
    shared.codes[(row % 2 * plan.shared_windows + x) * plan.groups + walk.group] =
        codes_of_window<T>(lines, plan.groups);
  }
}

// Adds a window's gradient where its maximum is at `place` of its nine.
template <typename T>
__device__ void add_window(const uint4* output_gradient, const std::uint32_t* codes, int place, float* sum) {
  constexpr int n = elements_of_vector<T>;
  Words incoming;
  incoming.all = __ldg(output_gradient);
  const std::uint32_t differing =
      *codes ^ static_cast<std::uint32_t>(pool_window * pool_window - 1 - place) * 0x11111111U;
  float values[n];
  unpack<T>(incoming, values);
#pragma unroll
  for (int i = 0; i < n; ++i) {
    if ((differing & 15U << (4 * i)) == 0) sum[i] += values[i];
  }
}

// The gradient of the normalised values at input (y, x): the sum over the windows, at most four, that found
// their maximum there. Windows (row, column) at (y / 2, x / 2) have it in their first or second line, those
// before in their third, if y (or x) is even.
template <typename T>
__device__ void gather(const T* __restrict__ output_gradient, int y, int x, const Walk& walk,
                       const Plan& plan, const Shared& shared, float* sum) {
  const int row = y / pool_stride, column = x / pool_stride, line = y % pool_stride, slot = x % pool_stride;
  const bool left = slot == 0 && column > 0, here = column < plan.output_width;
  const auto* gradients = reinterpret_cast<const uint4*>(output_gradient) +
                          (row * plan.output_width + column) * plan.groups + walk.group;
  const std::uint32_t* codes = shared.codes + (column - walk.first_window) * plan.groups + walk.group;
  const int code_row = plan.shared_windows * plan.groups;
  if (line == 0 && row > 0) {
    const uint4* above = gradients - plan.output_width * plan.groups;
    const std::uint32_t* codes_above = codes + (row + 1) % 2 * code_row;
    if (left) add_window<T>(above - plan.groups, codes_above - plan.groups, 2 * pool_window + 2, sum);
    if (here) add_window<T>(above, codes_above, 2 * pool_window + slot, sum);
  }
  if (row < plan.output_height) {
    codes += row % 2 * code_row;
    if (left) add_window<T>(gradients - plan.groups, codes - plan.groups, line * pool_window + 2, sum);
    if (here) add_window<T>(gradients, codes, line * pool_window + slot, sum);
  }
}

// As with_neighbours(), of values that are in registers alone: at the warps' ends by way of shared memory.
template <int n, int HALF>
__device__ void exchange(float* values, Walk& walk, const Plan& plan, const Shared& shared) {
  const bool first = walk.group == 0, last = walk.group == plan.groups - 1;
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int warps = plan.threads / 32;
  float before[HALF], after[HALF];
#pragma unroll
  for (int i = 0; i < HALF; ++i) {
    before[i] = __shfl_up_sync(0xffffffffU, values[n + i], 1);
    after[i] = __shfl_down_sync(0xffffffffU, values[HALF + i], 1);
  }
  if (32 % plan.groups != 0) {  // else a warp's ends are a place's ends
    float* edges = shared.edges + walk.exchanges * warps * 2 * HALF;
    walk.exchanges ^= 1;  // a second buffer, so that one barrier is enough
#pragma unroll
    for (int i = 0; i < HALF; ++i) {
      if (lane == 0) edges[(warp * 2) * HALF + i] = values[HALF + i];
      if (lane == 31) edges[(warp * 2 + 1) * HALF + i] = values[n + i];
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < HALF; ++i) {
      if (lane == 0 && !first) before[i] = edges[(warp * 2 - 1) * HALF + i];
      if (lane == 31 && !last && warp + 1 < warps) after[i] = edges[(warp * 2 + 2) * HALF + i];
    }
  }
#pragma unroll
  for (int i = 0; i < HALF; ++i) {
    values[i] = first ? 0 : before[i];
    values[HALF + n + i] = last ? 0 : after[i];
  }
}

// With s_c = k + α/n Σ a² and b_c = a_c s_c^−β: ∂L/∂a_c = g_c s_c^−β − 2αβ/n · a_c Σ_j g_j a_j s_j^(−β−1),
// over the j whose window holds c. `gradient` (n values) becomes the result, 0 where the ReLU before gave 0.
template <typename T, int HALF>
__device__ void through_normalisation(const Words& vector, const T* memory, bool inside, Walk& walk,
                                      const Plan& plan, const Shared& shared, float* gradient) {
  constexpr int n = elements_of_vector<T>;
  if constexpr (HALF == 0) {
    float values[n];
    unpack<T>(vector, values);
#pragma unroll
    for (int i = 0; i < n; ++i) gradient[i] = values[i] > 0 ? gradient[i] : 0;
  } else {
    float values[n + 2 * HALF], terms[n + 2 * HALF];
    with_neighbours<T, HALF>(vector, memory, inside, walk.group, plan.groups, values);
#pragma unroll
    for (int i = 0; i < n; ++i) {
      float power, inverse;
      const float sum = window_sum<HALF, true>(values, i, plan.half);
      power_and_inverse<HALF>(fmaf(plan.alpha, sum, plan.k), plan.beta, power, inverse);
      gradient[i] *= power;
      terms[HALF + i] = gradient[i] * values[HALF + i] * inverse;
    }
    exchange<n, HALF>(terms, walk, plan, shared);
    const float factor = -2 * plan.alpha * plan.beta;
#pragma unroll
    for (int i = 0; i < n; ++i) {
      const float value = values[HALF + i];
      const float result = fmaf(factor * value, window_sum<HALF, false>(terms, i, plan.half), gradient[i]);
      gradient[i] = value > 0 ? result : 0;
    }
  }
}

// Writes the gradient of input row y and adds it to `bias`. The codes of all windows over it are there.
template <typename T, int HALF>
__device__ void finish_row(const T* __restrict__ input, const T* __restrict__ output_gradient,
                           T* __restrict__ input_gradient, int y, Walk& walk, const Plan& plan,
                           const Shared& shared, float* bias) {
  constexpr int n = elements_of_vector<T>;
  for (int base = 0; base < walk.results; base += plan.columns_at_once) {
    const int x = walk.first_result + base + walk.own;
    const bool inside = walk.own < plan.columns_at_once && base + walk.own < walk.results;
    const int offset = (y * plan.width + x) * plan.channels + walk.group * n;
    Words vector;
    vector.all = make_uint4(0, 0, 0, 0);
    float gradient[n] = {};
    if (inside) {
      vector.all = *reinterpret_cast<const uint4*>(input + offset);
      gather<T>(output_gradient, y, x, walk, plan, shared, gradient);
    }
    through_normalisation<T, HALF>(vector, input + offset, inside, walk, plan, shared, gradient);
    if (inside) *reinterpret_cast<uint4*>(input_gradient + offset) = pack<T>(gradient).all;
#pragma unroll
    for (int i = 0; i < n; ++i) bias[i] += gradient[i];
  }
}

// The block's sums in the order of its columns: partial[block][channel].
template <int n>
__device__ void write_bias(const float* bias, const Walk& walk, const Plan& plan, float* sums,
                           float* __restrict__ partial) {
  __syncthreads();  // the memory behind `sums` was the ring
  if (walk.own < plan.columns_at_once) {
#pragma unroll
    for (int i = 0; i < n; ++i) sums[walk.own * plan.channels + walk.group * n + i] = bias[i];
  }
  __syncthreads();
  for (int channel = static_cast<int>(threadIdx.x); channel < plan.channels; channel += plan.threads) {
    float sum = 0;
    for (int own = 0; own < plan.columns_at_once; ++own) sum += sums[own * plan.channels + channel];
    partial[std::int64_t{blockIdx.x} * plan.channels + channel] = sum;
  }
}

template <typename T, int HALF>
__global__ __launch_bounds__(backward_threads, 3) void backward_kernel(const T* __restrict__ input,
                                                                       const T* __restrict__ output_gradient,
                                                                       T* __restrict__ input_gradient,
                                                                       float* __restrict__ partial,
                                                                       Plan plan) {
  extern __shared__ uint4 memory[];
  const Shared shared = divide(memory, plan);
  const Place place = place_of_block(plan);
  Walk walk = walk_of(place, plan);
  const std::int64_t places = std::int64_t{place.image} * plan.height * plan.width * plan.channels;
  const std::int64_t windows =
      std::int64_t{place.image} * plan.output_height * plan.output_width * plan.channels;
  input += places;
  input_gradient += places;
  output_gradient += windows;
  float bias[elements_of_vector<T>] = {};

  // Input row 2r is under the windows of output rows r − 1 and r, input row 2r + 1 under those of r alone.
  const int end = place.first_output_row + place.output_rows;
  int row = max(place.first_output_row - 1, 0);
  fill_ring<T, HALF, 1>(input, row * pool_stride, walk.first_column, walk.columns, plan, shared.ring);
  for (; row <= end; ++row) {
    int last = place.last_band ? plan.height : end * pool_stride;  // behind the last output row: what is left
    if (row < end) {
      last = (row + 1) * pool_stride;
      fill_ring<T, HALF, 2>(input, row * pool_stride + 1, walk.first_column, walk.columns, plan, shared.ring);
      __syncthreads();
      find_maxima<T>(row, walk, plan, shared);
      __syncthreads();
    }
    if (row < place.first_output_row) continue;
    for (int y = row * pool_stride; y < last; ++y) {
      finish_row<T, HALF>(input, output_gradient, input_gradient, y, walk, plan, shared, bias);
    }
  }
  if (partial != nullptr) {
    write_bias<elements_of_vector<T>>(bias, walk, plan, reinterpret_cast<float*>(memory), partial);
  }
}

// bias[c] = or += Σ over blocks, 32 channels a block of this kernel: each warp adds every 8th block's sum,
// then the warps' sums are added in order, in double.
__global__ __launch_bounds__(block_threads) void bias_kernel(const float* __restrict__ partial, int blocks,
                                                             int channels, bool add,
                                                             float* __restrict__ bias) {
  __shared__ double sums[block_threads / 32][32];
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int channel = static_cast<int>(blockIdx.x) * 32 + lane;
  double sum = 0;
  if (channel < channels) {
    for (int block = warp; block < blocks; block += block_threads / 32) {
      sum += static_cast<double>(partial[std::int64_t{block} * channels + channel]);
    }
  }
  sums[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || channel >= channels) return;
  for (int other = 1; other < block_threads / 32; ++other) sum += sums[other][lane];
  bias[channel] = static_cast<float>(sum) + (add ? bias[channel] : 0.0F);
}

}  // namespace
}  // namespace fused

std::size_t fused_pool_scratch_bytes(const FusedPoolShape& shape) {
  const fused::Plan plan = fused::backward_plan(shape);
  return sizeof(float) * static_cast<std::size_t>(fused::blocks(plan, shape.input.rows)) *
         static_cast<std::size_t>(plan.channels);
}

void fused_pool_backward(cudaStream_t stream, const void* input, const void* output_gradient,
                         void* input_gradient, const FusedPoolShape& shape, float* bias, bool add,
                         void* scratch) {
  const fused::Plan plan = fused::backward_plan(shape);
  float* partial = bias == nullptr ? nullptr : static_cast<float*>(scratch);
  const int blocks = fused::blocks(plan, shape.input.rows);
  with_element(shape.input.element, [&](auto zero) {
    using T = decltype(zero);
    fused::with_half(plan, [&](auto neighbours) {
      fused::backward_kernel<T, decltype(neighbours)::value>
          <<<blocks, plan.threads, plan.shared_bytes, stream>>>(
              static_cast<const T*>(input), static_cast<const T*>(output_gradient),
              static_cast<T*>(input_gradient), partial, plan);
    });
  });
  check_launch("fused_pool_backward");
  if (bias == nullptr) return;
  const auto bias_blocks = static_cast<unsigned>((plan.channels + 31) / 32);
  fused::bias_kernel<<<bias_blocks, block_threads, 0, stream>>>(partial, blocks, plan.channels, add, bias);
  check_launch("fused_pool_backward");
}

}  // namespace convoy::cuda
