#include "engine/cuda/kernels.hpp"
#include "engine/cuda/launch.cuh"

namespace convoy::cuda {

namespace {

// Window of output `o`: [⌊o·n/m⌋, ⌈(o+1)·n/m⌉) of n inputs for m outputs.
__device__ int window_begin(int o, int inputs, int outputs) {
  return o * inputs / outputs;
}
__device__ int window_end(int o, int inputs, int outputs) {
  return ((o + 1) * inputs + outputs - 1) / outputs;
}

__device__ std::int64_t index_in(const MapShape& shape, int row, int channel, int y, int x) {
  const std::int64_t base = static_cast<std::int64_t>(row) * shape.row_elements();
  if (shape.layout == Layout::channels_first)
    return base + (static_cast<std::int64_t>(channel) * shape.height + y) * shape.width + x;
  return base + (static_cast<std::int64_t>(y) * shape.width + x) * shape.channels + channel;
}

// What a thread moves at once: `Group` channels of a channels_last map, or one element. The shapes' channels
// are counted in these.
template <typename T, int Group>
struct alignas(Group * sizeof(T)) Elements {
  T at[Group];
};

template <typename T, int Group>
__global__ void __launch_bounds__(block_threads)
    adaptive_pool_forward_kernel(const Elements<T, Group>* __restrict__ input, MapShape in,
                                 Elements<T, Group>* __restrict__ output, MapShape out) {
  const std::int64_t count = out.elements();
  for (std::int64_t i = thread_number(); i < count; i += thread_count()) {
    const MapPlace place = place_of(out, i);
    const int top = window_begin(place.y, in.height, out.height);
    const int bottom = window_end(place.y, in.height, out.height);
    const int left = window_begin(place.x, in.width, out.width);
    const int right = window_end(place.x, in.width, out.width);
    float sum[Group] = {};
    for (int y = top; y < bottom; ++y) {
      for (int x = left; x < right; ++x) {
        const Elements<T, Group> values = input[index_in(in, place.row, place.channel, y, x)];
        for (int j = 0; j < Group; ++j) sum[j] += load(values.at[j]);
      }
    }
    Elements<T, Group> result;
    for (int j = 0; j < Group; ++j)
      store(result.at[j], sum[j] / static_cast<float>((bottom - top) * (right - left)));
    output[i] = result;
  }
}

// A thread gathers what reaches one input place: the windows that hold it are neighbours, at most those whose
// number lies between the two bounds.
template <typename T, int Group>
__global__ void __launch_bounds__(block_threads)
    adaptive_pool_backward_kernel(const Elements<T, Group>* __restrict__ gradient, MapShape out,
                                  Elements<T, Group>* __restrict__ input_gradient, MapShape in) {
  const std::int64_t count = in.elements();
  for (std::int64_t i = thread_number(); i < count; i += thread_count()) {
    const MapPlace place = place_of(in, i);
    const int first_y = place.y * out.height / in.height, first_x = place.x * out.width / in.width;
    float sum[Group] = {};
    for (int oy = first_y > 0 ? first_y - 1 : 0; oy < out.height; ++oy) {
      const int top = window_begin(oy, in.height, out.height), bottom = window_end(oy, in.height, out.height);
      if (top > place.y) break;
      if (bottom <= place.y) continue;
      for (int ox = first_x > 0 ? first_x - 1 : 0; ox < out.width; ++ox) {
        const int left = window_begin(ox, in.width, out.width), right = window_end(ox, in.width, out.width);
        if (left > place.x) break;
        if (right <= place.x) continue;
        const Elements<T, Group> values = gradient[index_in(out, place.row, place.channel, oy, ox)];
        const auto count = static_cast<float>((bottom - top) * (right - left));
        for (int j = 0; j < Group; ++j) sum[j] += load(values.at[j]) / count;
      }
    }
    Elements<T, Group> result;
    for (int j = 0; j < Group; ++j) store(result.at[j], sum[j]);
    input_gradient[i] = result;
  }
}

MapShape pooled(MapShape shape, int side) {
  shape.height = side;
  shape.width = side;
  return shape;
}

// Calls `work` with a value of what a thread moves and the shape in such.
template <typename Work>
void with_elements(const MapShape& shape, const void* input, const void* output, const Work& work) {
  with_element(shape.element, [&](auto zero) {
    using T = decltype(zero);
    constexpr int group = Vector<T>::size;
    const bool in_groups =
        shape.layout == Layout::channels_last && shape.channels % group == 0 &&
        vectors_in<T>(group, static_cast<const T*>(input), static_cast<const T*>(output)) == 1;
    if (!in_groups) return work(Elements<T, 1>{}, shape);
    MapShape groups = shape;
    groups.channels /= group;
    work(Elements<T, group>{}, groups);
  });
}

}  // namespace

void adaptive_pool_forward(cudaStream_t stream, const void* input, const MapShape& input_shape, void* output,
                           int output_side) {
  if (pooled(input_shape, output_side).elements() == 0) return;
  with_elements(input_shape, input, output, [&](auto zero, const MapShape& in) {
    using E = decltype(zero);
    const MapShape out = pooled(in, output_side);
    adaptive_pool_forward_kernel<<<blocks_for(out.elements()), block_threads, 0, stream>>>(
        static_cast<const E*>(input), in, static_cast<E*>(output), out);
  });
  check_launch("adaptive_pool_forward");
}

void adaptive_pool_backward(cudaStream_t stream, const void* output_gradient, const MapShape& input_shape,
                            void* input_gradient, int output_side) {
  if (input_shape.elements() == 0) return;
  with_elements(input_shape, output_gradient, input_gradient, [&](auto zero, const MapShape& in) {
    using E = decltype(zero);
    adaptive_pool_backward_kernel<<<blocks_for(in.elements()), block_threads, 0, stream>>>(
        static_cast<const E*>(output_gradient), pooled(in, output_side), static_cast<E*>(input_gradient), in);
  });
  check_launch("adaptive_pool_backward");
}

}  // namespace convoy::cuda
