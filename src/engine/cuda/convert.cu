#include "engine/cuda/kernels.hpp"
#include "engine/cuda/launch.cuh"

namespace convoy::cuda {

namespace {

// Eight elements a thread and turn: two vectors of float32, one of 16 bits. All of a turn's loads stand
// before its stores.
template <typename T>
__global__ void __launch_bounds__(block_threads)
    to_narrow_kernel(const float* __restrict__ input, T* __restrict__ output, std::int64_t vectors,
                     std::int64_t count) {
  for (std::int64_t i = thread_number(); i < vectors; i += thread_count()) {
    const Vector<float> low = reinterpret_cast<const Vector<float>*>(input)[2 * i];
    const Vector<float> high = reinterpret_cast<const Vector<float>*>(input)[2 * i + 1];
    Vector<T> result;
    for (int j = 0; j < 4; ++j) {
      store(result.at[j], low.at[j]);
      store(result.at[j + 4], high.at[j]);
    }
    reinterpret_cast<Vector<T>*>(output)[i] = result;
  }
  for (std::int64_t i = vectors * 8 + thread_number(); i < count; i += thread_count())
    store(output[i], input[i]);
}

template <typename T, bool Add>
__global__ void __launch_bounds__(block_threads)
    from_narrow_kernel(const T* __restrict__ input, float* __restrict__ output, std::int64_t vectors,
                       std::int64_t count) {
  for (std::int64_t i = thread_number(); i < vectors; i += thread_count()) {
    const Vector<T> values = reinterpret_cast<const Vector<T>*>(input)[i];
    Vector<float>* const place = reinterpret_cast<Vector<float>*>(output) + 2 * i;
    Vector<float> low, high;
    if constexpr (Add) {
      low = place[0];
      high = place[1];
    }
    for (int j = 0; j < 4; ++j) {
      low.at[j] = Add ? low.at[j] + load(values.at[j]) : load(values.at[j]);
      high.at[j] = Add ? high.at[j] + load(values.at[j + 4]) : load(values.at[j + 4]);
    }
    place[0] = low;
    place[1] = high;
  }
  for (std::int64_t i = vectors * 8 + thread_number(); i < count; i += thread_count())
    output[i] = Add ? output[i] + load(input[i]) : load(input[i]);
}

}  // namespace

void to_narrow(cudaStream_t stream, const float* input, void* output, Element element, std::size_t count) {
  if (count == 0) return;
  const auto number = static_cast<std::int64_t>(count);
  with_narrow_element(element, [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t vectors = vectors_in<T>(number, input, static_cast<const T*>(output));
    to_narrow_kernel<<<blocks_for_vectors<T>(vectors, number), block_threads, 0, stream>>>(
        input, static_cast<T*>(output), vectors, number);
  });
  check_launch("to_narrow");
}

void from_narrow(cudaStream_t stream, const void* input, Element element, float* output, bool add,
                 std::size_t count) {
  if (count == 0) return;
  const auto number = static_cast<std::int64_t>(count);
  with_narrow_element(element, [&](auto zero) {
    using T = decltype(zero);
    const T* const values = static_cast<const T*>(input);
    const std::int64_t vectors = vectors_in<T>(number, values, output);
    const unsigned blocks = blocks_for_vectors<T>(vectors, number);
    if (add) {
      from_narrow_kernel<T, true><<<blocks, block_threads, 0, stream>>>(values, output, vectors, number);
    } else {
      from_narrow_kernel<T, false><<<blocks, block_threads, 0, stream>>>(values, output, vectors, number);
    }
  });
  check_launch("from_narrow");
}

}  // namespace convoy::cuda
