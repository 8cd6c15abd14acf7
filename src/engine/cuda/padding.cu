#include "engine/cuda/kernels.hpp"
#include "engine/cuda/launch.cuh"

namespace convoy::cuda {

namespace {

__device__ std::int64_t index_of(const MapShape& shape, const MapPlace& place) {
  const std::int64_t row = static_cast<std::int64_t>(place.row) * shape.row_elements();
  if (shape.layout == Layout::channels_first)
    return row + (static_cast<std::int64_t>(place.channel) * shape.height + place.y) * shape.width + place.x;
  return row + (static_cast<std::int64_t>(place.y) * shape.width + place.x) * shape.channels + place.channel;
}

// Bits are moved, so T is a word of an element's size, or 16 bytes with the channels of the shapes counted in
// these.
template <typename T>
__global__ void __launch_bounds__(block_threads)
    pad_kernel(const T* __restrict__ input, MapShape shape, MapShape padded, int before, T fill,
               T* __restrict__ output) {
  const std::int64_t count = padded.elements();
  for (std::int64_t i = thread_number(); i < count; i += thread_count()) {
    MapPlace place = place_of(padded, i);
    place.y -= before;
    place.x -= before;
    const bool inside = place.y >= 0 && place.y < shape.height && place.x >= 0 && place.x < shape.width;
    output[i] = inside ? input[index_of(shape, place)] : fill;
  }
}

template <typename T>
__global__ void __launch_bounds__(block_threads)
    unpad_kernel(const T* __restrict__ input, MapShape shape, MapShape padded, int before,
                 T* __restrict__ output) {
  const std::int64_t count = shape.elements();
  for (std::int64_t i = thread_number(); i < count; i += thread_count()) {
    MapPlace place = place_of(shape, i);
    place.y += before;
    place.x += before;
    output[i] = input[index_of(padded, place)];
  }
}

MapShape padded_shape(MapShape shape, int before, int after) {
  shape.height += before + after;
  shape.width += before + after;
  return shape;
}

// Bits of the lowest finite value of the element, in each of its places in a word: a maximum never takes it
// where a window holds anything else.
std::uint32_t lowest(Element element) {
  if (element == Element::float32) return 0xff7fffffU;
  return element == Element::bfloat16 ? 0xff7fff7fU : 0xfbfffbffU;
}

// Calls `work` with a value of the word that is moved, made of `fill`, and the shape in such words.
template <typename Work>
void with_word(const MapShape& shape, std::uint32_t fill, const void* input, const void* output,
               const Work& work) {
  const int vector = 16 / static_cast<int>(bytes_of(shape.element));
  const bool in_vectors =
      shape.layout == Layout::channels_last && shape.channels % vector == 0 &&
      vectors_in<float>(4, static_cast<const float*>(input), static_cast<const float*>(output)) == 1;
  if (in_vectors) {
    MapShape words = shape;
    words.channels /= vector;
    work(make_uint4(fill, fill, fill, fill), words);
  } else if (shape.element == Element::float32) {
    work(fill, shape);
  } else {
    work(static_cast<std::uint16_t>(fill), shape);
  }
}

}  // namespace

void pad(cudaStream_t stream, const void* input, const MapShape& shape, int before, int after, Fill fill,
         void* output) {
  if (padded_shape(shape, before, after).elements() == 0) return;
  const std::uint32_t bits = fill == Fill::zero ? 0 : lowest(shape.element);
  with_word(shape, bits, input, output, [&](auto value, const MapShape& words) {
    using T = decltype(value);
    const MapShape padded = padded_shape(words, before, after);
    pad_kernel<<<blocks_for(padded.elements()), block_threads, 0, stream>>>(
        static_cast<const T*>(input), words, padded, before, value, static_cast<T*>(output));
  });
  check_launch("pad");
}

void unpad(cudaStream_t stream, const void* padded, const MapShape& shape, int before, int after,
           void* output) {
  if (shape.elements() == 0) return;
  with_word(shape, 0, padded, output, [&](auto value, const MapShape& words) {
    using T = decltype(value);
    unpad_kernel<<<blocks_for(words.elements()), block_threads, 0, stream>>>(
        static_cast<const T*>(padded), words, padded_shape(words, before, after), before,
        static_cast<T*>(output));
  });
  check_launch("unpad");
}

}  // namespace convoy::cuda
