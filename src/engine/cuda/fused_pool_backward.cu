#include "engine/cuda/fused_pool.cuh"
#include "engine/cuda/launch.cuh"

namespace convoy::cuda {
namespace fused {

namespace {

// A thread's place in its block and in the map. Places in memory are counted in groups from the map's begin:
// the shapes that are served have fewer than 2^31 elements.
struct Walk {
  int group;           // its channels
  int own;             // its place among the block's columns
  int column;          // pair of input columns; also the number of the window that begins there
  bool works;          // false: it only takes part in exchanges
  bool before, here;   // whether there are windows in its column and in the one before
  unsigned input_at;   // of the first place of the pair of rows that it has arrived at
  unsigned window_at;  // of the window that begins there
  float* edges;        // shared, [2][warps][2][HALF]: what lanes of other warps need
};

__device__ Walk walk_of(const Place& place, const Plan& plan, float* shared) {
  Walk walk;
  walk.group = static_cast<int>(threadIdx.x) % plan.groups;
  walk.own = static_cast<int>(threadIdx.x) / plan.groups;
  walk.column = place.first_column + walk.own;
  walk.works = walk.own < place.columns;
  walk.before = walk.works && walk.column > 0;
  walk.here = walk.works && walk.column < plan.output_width;
  const auto index = [&](int height, int width, int y, int x) {
    const auto row =
        static_cast<unsigned>(place.image) * static_cast<unsigned>(height) + static_cast<unsigned>(y);
    return (row * static_cast<unsigned>(width) + static_cast<unsigned>(x)) *
               static_cast<unsigned>(plan.groups) +
           static_cast<unsigned>(walk.group);
  };
  walk.input_at = index(plan.height, plan.width, place.first_row * pool_stride, walk.column * pool_stride);
  walk.window_at = index(plan.output_height, plan.output_width, place.first_row, walk.column);
  walk.edges = shared;
  return walk;
}

// What a window's maxima pass on. A window that is not there has no maximum anywhere.
struct Window {
  Words gradient;
  std::uint32_t codes;
};

template <typename T>
__device__ Window load_window(const uint4* __restrict__ output_gradient, const Codes<T>* __restrict__ codes,
                              unsigned at, bool there) {
  Window window;
  window.gradient.all = make_uint4(0, 0, 0, 0);
  window.codes = ~0U;
  if (there) {
    window.gradient.all = __ldg(output_gradient + at);
    window.codes = __ldg(codes + at);
  }
  return window;
}

// Adds a window's gradient where its maximum is at `place` of its nine; `first`: to nothing.
template <typename T>
__device__ void add_window(const Window& window, int place, bool first, float* sum) {
  constexpr int n = elements_of_vector<T>;
  const std::uint32_t differing = window.codes ^ static_cast<std::uint32_t>(place) * 0x11111111U;
  float values[n];
  unpack<T>(window.gradient, values);
#pragma unroll
  for (int i = 0; i < n; ++i) {
    const bool passes = (differing & 15U << code_shift<T>(i)) == 0;
    if (first) {
      sum[i] = passes ? values[i] : 0;
    } else if (passes) {
      sum[i] += values[i];
    }
  }
}

// As with_neighbours(), of values that are in registers alone: at the warps' ends by way of shared memory.
template <int n, int HALF>
__device__ void exchange(float* values, int turn, const Walk& walk, const Plan& plan) {
  const bool first = walk.group == 0, last = walk.group == plan.groups - 1;
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int warps = plan.threads / 32;
  float before[HALF], after[HALF];
#pragma unroll
  for (int i = 0; i < HALF; ++i) {
    before[i] = __shfl_up_sync(0xffffffffU, values[n + i], 1);
    after[i] = __shfl_down_sync(0xffffffffU, values[HALF + i], 1);
  }
  if (plan.straddles_warps) {
    // A second buffer, so that one barrier is enough.
    float* edges = walk.edges + turn * warps * 2 * HALF;
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
__device__ void through_normalisation(const Words& vector, const T* memory, bool inside, int turn,
                                      const Walk& walk, const Plan& plan, float* gradient) {
  constexpr int n = elements_of_vector<T>;
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
  exchange<n, HALF>(terms, turn, walk, plan);
  const float factor = -2 * plan.alpha * plan.beta;
#pragma unroll
  for (int i = 0; i < n; ++i) {
    const float value = values[HALF + i];
    const float result = fmaf(factor * value, window_sum<HALF, false>(terms, i, plan.half), gradient[i]);
    gradient[i] = value > 0 ? result : 0;
  }
}

// Writes the gradients of the four input places of pair `row` of input rows and the thread's pair of columns
// and adds them to `bias`. A place is under the window that begins in its pair and, if it is even, under the
// one before too, with the third line or column of that.
template <typename T, int HALF>
__device__ void finish_pair(const uint4* __restrict__ input, const Codes<T>* __restrict__ codes,
                            const uint4* __restrict__ output_gradient, uint4* __restrict__ input_gradient,
                            int row, const Walk& walk, const Plan& plan, float* bias) {
  constexpr int n = elements_of_vector<T>;
  const unsigned groups = static_cast<unsigned>(plan.groups);
  const auto window = [&](bool above, bool before) {
    const bool row_there = above ? row > 0 : row < plan.output_height;
    const unsigned at = walk.window_at - (above ? groups * static_cast<unsigned>(plan.output_width) : 0) -
                        (before ? groups : 0);
    return load_window<T>(output_gradient, codes, at, row_there && (before ? walk.before : walk.here));
  };
  const Window before = window(false, true), here = window(false, false);
#pragma unroll
  for (int line = 0; line < pool_stride; ++line) {
    const bool line_there = row * pool_stride + line < plan.height;
    Window above_before, above;
    if (line == 0) {
      above_before = window(true, true);
      above = window(true, false);
    }
#pragma unroll
    for (int slot = 0; slot < pool_stride; ++slot) {
      const bool inside = walk.works && line_there && walk.column * pool_stride + slot < plan.width;
      const unsigned at = walk.input_at + (line == 0 ? 0 : groups * static_cast<unsigned>(plan.width)) +
                          (slot == 0 ? 0 : groups);
      [[maybe_unused]] Words vector;
      vector.all = make_uint4(0, 0, 0, 0);
      if (HALF > 0 && inside) vector.all = __ldg(input + at);
      float gradient[n];
      if (line == 0) {
        if (slot == 0) add_window<T>(above_before, 2 * pool_window + 2, true, gradient);
        add_window<T>(above, 2 * pool_window + slot, slot == 1, gradient);
      }
      if (slot == 0) add_window<T>(before, line * pool_window + 2, line == 1, gradient);
      add_window<T>(here, line * pool_window + slot, line == 1 && slot == 1, gradient);
      if constexpr (HALF > 0) {
        through_normalisation<T, HALF>(vector, reinterpret_cast<const T*>(input + at), inside, slot, walk,
                                       plan, gradient);
      }
      if (inside) input_gradient[at] = pack<T>(gradient).all;
#pragma unroll
      for (int i = 0; i < n; ++i) bias[i] += gradient[i];
    }
  }
}

// The block's sums in the order of its columns: partial[block][channel].
template <int n>
__device__ void write_bias(const float* bias, const Walk& walk, const Plan& plan, float* sums,
                           float* __restrict__ partial) {
  __syncthreads();  // the memory behind `sums` was that of the edges
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
__global__ __launch_bounds__(backward_threads, HALF == most_half ? 2 : 3) void backward_kernel(
    const uint4* __restrict__ input, const Codes<T>* __restrict__ codes,
    const uint4* __restrict__ output_gradient, uint4* __restrict__ input_gradient,
    float* __restrict__ partial, Plan plan) {
  extern __shared__ float shared[];
  const Place place = place_of_block(plan);
  Walk walk = walk_of(place, plan, shared);
  float bias[elements_of_vector<T>] = {};
  for (int row = place.first_row; row < place.first_row + place.rows; ++row) {
    finish_pair<T, HALF>(input, codes, output_gradient, input_gradient, row, walk, plan, bias);
    walk.input_at += static_cast<unsigned>(pool_stride * plan.width * plan.groups);
    walk.window_at += static_cast<unsigned>(plan.output_width * plan.groups);
  }
  if (partial != nullptr) write_bias<elements_of_vector<T>>(bias, walk, plan, shared, partial);
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

void fused_pool_backward(cudaStream_t stream, const void* input, const void* codes,
                         const void* output_gradient, void* input_gradient, const FusedPoolShape& shape,
                         float* bias, bool add, void* scratch) {
  const fused::Plan plan = fused::backward_plan(shape);
  float* partial = bias == nullptr ? nullptr : static_cast<float*>(scratch);
  const int blocks = fused::blocks(plan, shape.input.rows);
  with_element(shape.input.element, [&](auto zero) {
    using T = decltype(zero);
    fused::with_half(plan, [&](auto neighbours) {
      fused::backward_kernel<T, decltype(neighbours)::value>
          <<<blocks, plan.threads, plan.shared_bytes, stream>>>(
              static_cast<const uint4*>(input), static_cast<const fused::Codes<T>*>(codes),
              static_cast<const uint4*>(output_gradient), static_cast<uint4*>(input_gradient), partial, plan);
    });
  });
  check_launch("fused_pool_backward");
  if (bias == nullptr) return;
  const auto bias_blocks = static_cast<unsigned>((plan.channels + 31) / 32);
  fused::bias_kernel<<<bias_blocks, block_threads, 0, stream>>>(partial, blocks, plan.channels, add, bias);
  check_launch("fused_pool_backward");
}

}  // namespace convoy::cuda
