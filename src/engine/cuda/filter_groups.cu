#include "engine/cuda/kernels.hpp"
#include "engine/cuda/launch.cuh"

namespace convoy::cuda {

namespace {

// A row is a run of every group's channels; `rows` behind each other belong to filters of one group.
template <typename Word>
__global__ void __launch_bounds__(block_threads)
    expand_filter_kernel(const Word* __restrict__ filter, Word* __restrict__ dense, unsigned count,
                         unsigned row_length, unsigned run_length, unsigned group_rows) {
  const auto stride = static_cast<unsigned>(thread_count());
  for (auto i = static_cast<unsigned>(thread_number()); i < count; i += stride) {
    const unsigned row = i / row_length, begin = row / group_rows * run_length;
    const unsigned place = i % row_length - begin;  // beyond run_length before `begin` too: it is unsigned
    dense[i] = place < run_length ? filter[row * run_length + place] : Word{};
  }
}

template <typename T, bool Add>
__global__ void __launch_bounds__(block_threads)
    gather_filter_kernel(const T* __restrict__ dense, float* __restrict__ gradient, unsigned count,
                         unsigned row_length, unsigned run_length, unsigned group_rows) {
  const auto stride = static_cast<unsigned>(thread_count());
  for (auto i = static_cast<unsigned>(thread_number()); i < count; i += stride) {
    const unsigned row = i / run_length, begin = row / group_rows * run_length;
    const float value = load(dense[row * row_length + begin + i % run_length]);
    gradient[i] = Add ? gradient[i] + value : value;
  }
}

template <typename Word>
void expand(cudaStream_t stream, const void* filter, const FilterGroups& groups, std::size_t run_bytes,
            void* dense) {
  const auto run = static_cast<unsigned>(run_bytes / sizeof(Word));
  const unsigned row = run * static_cast<unsigned>(groups.groups);
  const auto rows = static_cast<unsigned>(groups.filters * groups.runs);
  expand_filter_kernel<<<blocks_for(std::int64_t{rows} * row), block_threads, 0, stream>>>(
      static_cast<const Word*>(filter), static_cast<Word*>(dense), rows * row, row, run,
      rows / static_cast<unsigned>(groups.groups));
}

}  // namespace

void expand_filter(cudaStream_t stream, const void* filter, const FilterGroups& groups, Element element,
                   void* dense) {
  const std::size_t run_bytes = static_cast<std::size_t>(groups.run_length) * bytes_of(element);
  const bool aligned = reinterpret_cast<std::uintptr_t>(filter) % sizeof(uint4) == 0;
  if (aligned && run_bytes % sizeof(uint4) == 0) {
    expand<uint4>(stream, filter, groups, run_bytes, dense);
  } else if (element == Element::float32) {
    expand<std::uint32_t>(stream, filter, groups, run_bytes, dense);
  } else {
    expand<std::uint16_t>(stream, filter, groups, run_bytes, dense);
  }
  check_launch("expand_filter");
}

void gather_filter(cudaStream_t stream, const void* dense, const FilterGroups& groups, Element element,
                   bool add, float* gradient) {
  const auto run = static_cast<unsigned>(groups.run_length);
  const auto rows = static_cast<unsigned>(groups.filters * groups.runs);
  const auto number = static_cast<unsigned>(groups.groups);
  with_element(element, [&](auto zero) {
    using T = decltype(zero);
    const auto* const source = static_cast<const T*>(dense);
    const unsigned blocks = blocks_for(std::int64_t{rows} * run);
    if (add) {
      gather_filter_kernel<T, true><<<blocks, block_threads, 0, stream>>>(source, gradient, rows * run,
                                                                          run * number, run, rows / number);
    } else {
      gather_filter_kernel<T, false><<<blocks, block_threads, 0, stream>>>(source, gradient, rows * run,
                                                                           run * number, run, rows / number);
    }
  });
  check_launch("gather_filter");
}

}  // namespace convoy::cuda
