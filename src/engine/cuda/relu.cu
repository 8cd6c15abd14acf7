#include "engine/cuda/kernels.hpp"
#include "engine/cuda/launch.cuh"

namespace convoy::cuda {

namespace {

__device__ float positive_part(float x) {
  return x < 0.0F ? 0.0F : x;  // a NaN stays, so that it is seen in the loss
}

// `input` and `output` may be the same.
template <typename T>
__global__ void __launch_bounds__(block_threads)
    relu_kernel(const T* input, T* output, std::int64_t vectors, std::int64_t count) {
  for (std::int64_t i = thread_number(); i < vectors; i += thread_count()) {
    Vector<T> values = reinterpret_cast<const Vector<T>*>(input)[i];
    for (T& value : values.at) store(value, positive_part(load(value)));
    reinterpret_cast<Vector<T>*>(output)[i] = values;
  }
  for (std::int64_t i = vectors * Vector<T>::size + thread_number(); i < count; i += thread_count())
    store(output[i], positive_part(load(input[i])));
}

template <typename T>
__global__ void __launch_bounds__(block_threads)
    relu_backward_kernel(T* __restrict__ gradient, const T* __restrict__ activation, std::int64_t vectors,
                         std::int64_t count) {
  for (std::int64_t i = thread_number(); i < vectors; i += thread_count()) {
    const Vector<T> active = reinterpret_cast<const Vector<T>*>(activation)[i];
    Vector<T> values = reinterpret_cast<const Vector<T>*>(gradient)[i];
    for (int j = 0; j < Vector<T>::size; ++j)
      if (!(load(active.at[j]) > 0.0F)) store(values.at[j], 0.0F);
    reinterpret_cast<Vector<T>*>(gradient)[i] = values;
  }
  for (std::int64_t i = vectors * Vector<T>::size + thread_number(); i < count; i += thread_count())
    if (!(load(activation[i]) > 0.0F)) store(gradient[i], 0.0F);
}

// ---- The sum for the bias, in two launches: blocks write partial[chunk][channel], then those are added up.

// As many chunks as leave each block of the first launch some rows to add, and at most as many as an H100
// holds at once (six blocks for each of 132 multiprocessors at 40 registers a thread); a number of the shape
// alone, so that the order of additions is.
constexpr std::int64_t most_chunks = 768;

// An activation without places (fully connected) is the same in both layouts.
bool is_plane_by_plane(const MapShape& shape) {
  return shape.layout == Layout::channels_first && shape.height * shape.width > 1;
}

std::int64_t places_of(const MapShape& shape) {
  return std::int64_t{shape.rows} * shape.height * shape.width;
}

std::int64_t chunks_of(const MapShape& shape) {
  if (is_plane_by_plane(shape)) {
    const std::int64_t most = std::max<std::int64_t>(2 * most_chunks / shape.channels, 1);
    return std::clamp<std::int64_t>(places_of(shape) / 2048, 1, most);
  }
  return std::clamp<std::int64_t>(places_of(shape) / 8, 1, most_chunks);
}

// How a block of the channels_last sum lies over channels and places: `columns` groups of channels side by
// side (a group is what a thread loads at once), `lanes` places.
struct Tiling {
  int columns, lanes;
};

Tiling tiling_of(int channels, int group) {
  const int columns = std::min((channels + group - 1) / group, block_threads);
  return {columns, block_threads / columns};
}

// A thread keeps its group of channels and walks over places, so each channel's sum is a register. Threads of
// a block read one run of memory where the channels fit into a block. `Group`: elements of a vector, or 1.
template <typename T, int Group>
__global__ void __launch_bounds__(block_threads)
    bias_places_kernel(T* __restrict__ gradient, const T* __restrict__ activation, std::int64_t places,
                       int channels, Tiling tiling, float factor, float* __restrict__ partial) {
  struct alignas(Group * sizeof(T)) Elements {
    T at[Group];
  };
  __shared__ float shared[Group][block_threads];
  const int thread = static_cast<int>(threadIdx.x);
  const int column = thread % tiling.columns, lane = thread / tiling.columns;
  const int channel = (static_cast<int>(blockIdx.y) * tiling.columns + column) * Group;
  float sum[Group] = {};
  if (lane < tiling.lanes && channel < channels) {
    const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * tiling.lanes;
    for (std::int64_t place = static_cast<std::int64_t>(blockIdx.x) * tiling.lanes + lane; place < places;
         place += stride) {
      Elements& target = *reinterpret_cast<Elements*>(gradient + place * channels + channel);
      Elements values = target;
      if (activation != nullptr) {
        const Elements active = *reinterpret_cast<const Elements*>(activation + place * channels + channel);
        for (int j = 0; j < Group; ++j) {
          if (!(load(active.at[j]) > 0.0F)) {
            store(values.at[j], 0.0F);
          } else if (factor != 1.0F) {
            store(values.at[j], load(values.at[j]) * factor);
          }
        }
        target = values;
      }
      for (int j = 0; j < Group; ++j) sum[j] += load(values.at[j]);
    }
  }
  for (int j = 0; j < Group; ++j) shared[j][thread] = sum[j];
  for (int left = tiling.lanes; left > 1;) {
    const int half = (left + 1) / 2;
    __syncthreads();
    if (lane + half < left)
      for (int j = 0; j < Group; ++j) shared[j][thread] += shared[j][thread + half * tiling.columns];
    left = half;
  }
  // Lane 0 wrote what it reads here.
  if (lane == 0 && channel < channels)
    for (int j = 0; j < Group; ++j)
      partial[static_cast<std::int64_t>(blockIdx.x) * channels + channel + j] = shared[j][thread];
}

// channels_first: a block takes one channel (blockIdx.x) of every gridDim.y-th row.
template <typename T>
__global__ void __launch_bounds__(block_threads)
    bias_planes_kernel(T* __restrict__ gradient, const T* __restrict__ activation, int rows, int plane,
                       float factor, float* __restrict__ partial) {
  __shared__ float shared[block_threads];
  const int channels = static_cast<int>(gridDim.x), channel = static_cast<int>(blockIdx.x);
  const int chunk = static_cast<int>(blockIdx.y), chunks = static_cast<int>(gridDim.y);
  const int own_rows = (rows - chunk + chunks - 1) / chunks;
  const std::int64_t count = static_cast<std::int64_t>(own_rows) * plane;
  float sum = 0;
  for (std::int64_t i = threadIdx.x; i < count; i += block_threads) {
    const std::int64_t row = i / plane * chunks + chunk;
    const std::int64_t place = (row * channels + channel) * plane + i % plane;
    if (activation != nullptr) {
      if (!(load(activation[place]) > 0.0F)) {
        store(gradient[place], 0.0F);
      } else if (factor != 1.0F) {
        store(gradient[place], load(gradient[place]) * factor);
      }
    }
    sum += load(gradient[place]);
  }
  const float total = block_sum(sum, shared);
  if (threadIdx.x == 0) partial[static_cast<std::int64_t>(chunk) * channels + channel] = total;
}

constexpr int finish_lanes = 32;

// bias[c] = Σ over chunks of partial[chunk][c], in double; a block takes 32 channels. So a bias differs from
// the exact sum of n rounded gradients g by at most (n / (chunks · lanes) + 8 + 1) · 2^-24 · Σ |g|: the
// additions that a thread makes one after the other, the tree in shared memory, the last rounding. With
// AlexNet's 256 × 55 × 55 places that is 60 · 2^-24.
template <bool Add>
__global__ void __launch_bounds__(32 * finish_lanes)
    bias_finish_kernel(const float* __restrict__ partial, int chunks, int channels,
                       float* __restrict__ bias) {
  __shared__ double shared[finish_lanes][33];
  const int column = static_cast<int>(threadIdx.x), lane = static_cast<int>(threadIdx.y);
  const int channel = static_cast<int>(blockIdx.x) * 32 + column;
  double sum = 0;
  if (channel < channels)
    for (int chunk = lane; chunk < chunks; chunk += finish_lanes)
      sum += static_cast<double>(partial[static_cast<std::int64_t>(chunk) * channels + channel]);
  shared[lane][column] = sum;
  for (int half = finish_lanes / 2; half > 0; half /= 2) {
    __syncthreads();
    if (lane < half) shared[lane][column] += shared[lane + half][column];
  }
  if (lane != 0 || channel >= channels) return;
  const auto total = static_cast<float>(shared[0][column]);
  bias[channel] = Add ? bias[channel] + total : total;
}

template <typename T, int Group>
void sum_places(cudaStream_t stream, T* gradient, const T* activation, const MapShape& shape, int chunks,
                float factor, float* partial) {
  const Tiling tiling = tiling_of(shape.channels, Group);
  const int groups = (shape.channels + Group - 1) / Group;
  const dim3 blocks(static_cast<unsigned>(chunks),
                    static_cast<unsigned>((groups + tiling.columns - 1) / tiling.columns));
  bias_places_kernel<T, Group><<<blocks, block_threads, 0, stream>>>(gradient, activation, places_of(shape),
                                                                     shape.channels, tiling, factor, partial);
}

// partial[chunk][channel] of all chunks.
template <typename T>
void sum_chunks(cudaStream_t stream, T* gradient, const T* activation, const MapShape& shape, int chunks,
                float factor, float* partial) {
  constexpr int group = Vector<T>::size;
  if (is_plane_by_plane(shape)) {
    const dim3 blocks(static_cast<unsigned>(shape.channels), static_cast<unsigned>(chunks));
    bias_planes_kernel<<<blocks, block_threads, 0, stream>>>(gradient, activation, shape.rows,
                                                             shape.height * shape.width, factor, partial);
  } else if (shape.channels % group == 0 && vectors_in<T>(group, gradient, activation) == 1) {
    sum_places<T, group>(stream, gradient, activation, shape, chunks, factor, partial);
  } else {
    sum_places<T, 1>(stream, gradient, activation, shape, chunks, factor, partial);
  }
}

}  // namespace

void relu(cudaStream_t stream, const void* input, void* output, const MapShape& shape) {
  const std::int64_t count = shape.elements();
  if (count == 0) return;
  with_element(shape.element, [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t vectors = vectors_in<T>(count, input, output);
    relu_kernel<<<blocks_for_vectors<T>(vectors, count), block_threads, 0, stream>>>(
        static_cast<const T*>(input), static_cast<T*>(output), vectors, count);
  });
  check_launch("relu");
}

void relu_backward(cudaStream_t stream, void* gradient, const void* activation, const MapShape& shape) {
  const std::int64_t count = shape.elements();
  if (count == 0) return;
  with_element(shape.element, [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t vectors = vectors_in<T>(count, gradient, activation);
    relu_backward_kernel<<<blocks_for_vectors<T>(vectors, count), block_threads, 0, stream>>>(
        static_cast<T*>(gradient), static_cast<const T*>(activation), vectors, count);
  });
  check_launch("relu_backward");
}

std::size_t bias_scratch_bytes(const MapShape& shape) {
  return static_cast<std::size_t>(chunks_of(shape) * shape.channels) * sizeof(float);
}

void relu_backward_bias(cudaStream_t stream, void* gradient, const void* activation, const MapShape& shape,
                        float* bias, bool add, void* scratch, float factor) {
  auto* const partial = static_cast<float*>(scratch);
  const auto chunks = static_cast<int>(chunks_of(shape));
  with_element(shape.element, [&](auto zero) {
    using T = decltype(zero);
    sum_chunks(stream, static_cast<T*>(gradient), static_cast<const T*>(activation), shape, chunks, factor,
               partial);
  });
  check_launch("relu_backward_bias");
  const dim3 threads(32, finish_lanes);
  const auto blocks = static_cast<unsigned>((shape.channels + 31) / 32);
  if (add) {
    bias_finish_kernel<true><<<blocks, threads, 0, stream>>>(partial, chunks, shape.channels, bias);
  } else {
    bias_finish_kernel<false><<<blocks, threads, 0, stream>>>(partial, chunks, shape.channels, bias);
  }
  check_launch("relu_backward_bias");
}

}  // namespace convoy::cuda
