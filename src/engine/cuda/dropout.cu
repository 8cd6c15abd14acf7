#include "engine/cuda/kernels.hpp"
#include "engine/cuda/launch.cuh"
#include "engine/dropout_arithmetic.hpp"

namespace convoy::cuda {

namespace {

DropoutBits make_bits(std::uint32_t number, double p) {
  DropoutBits bits;
  bits.layer = number;
  bits.threshold = dropout_threshold(p);
  return bits;
}

__device__ DropoutBits bits_of_pass(DropoutBits bits, const PassParameters* pass) {
  bits.seed = pass->seed;
  bits.step = pass->step;
  return bits;
}

// The pass's bits with the number of its row in them are asked for one block of four units at a time.
__device__ DropoutKeep keep_of(const DropoutBits& bits, const PassParameters* pass, int row, int block) {
  return dropout_keep(bits, static_cast<std::uint32_t>(pass->first_position + row),
                      static_cast<std::uint32_t>(block));
}

// Where units lie in the order of their numbers (channels_first, or no map at all) and rows are multiples of
// four: a thread takes the four units of one random block, 8 or 16 bytes. Its ten rounds of Philox are some
// 80 instructions, for which an H100 has the time while those bytes come and go.
template <typename T>
__global__ void __launch_bounds__(block_threads)
    dropout_in_order_kernel(T* __restrict__ values, int rows, int blocks_in_row, const PassParameters* pass,
                            DropoutBits bits, float scale) {
  struct alignas(4 * sizeof(T)) Four {
    T at[4];
  };
  bits = bits_of_pass(bits, pass);
  const std::int64_t blocks = static_cast<std::int64_t>(rows) * blocks_in_row;
  for (std::int64_t i = thread_number(); i < blocks; i += thread_count()) {
    const auto row = static_cast<int>(i / blocks_in_row);
    const DropoutKeep keep =
        keep_of(bits, pass, row, static_cast<int>(i - std::int64_t{row} * blocks_in_row));
    Four four = reinterpret_cast<const Four*>(values)[i];
    for (int j = 0; j < 4; ++j) store(four.at[j], keep.unit[j] ? load(four.at[j]) * scale : 0.0F);
    reinterpret_cast<Four*>(values)[i] = four;
  }
}

// channels_last maps whose planes are multiples of four (256 × 6 × 6 in alexnet-owt): the four units of a
// block are four places of one channel. Neighbouring threads take neighbouring channels.
template <typename T>
__global__ void __launch_bounds__(block_threads)
    dropout_of_quads_kernel(T* __restrict__ values, int rows, int channels, int quads,
                            const PassParameters* pass, DropoutBits bits, float scale) {
  bits = bits_of_pass(bits, pass);
  const int blocks_in_row = channels * quads;
  const std::int64_t blocks = static_cast<std::int64_t>(rows) * blocks_in_row;
  for (std::int64_t i = thread_number(); i < blocks; i += thread_count()) {
    const auto row = static_cast<int>(i / blocks_in_row);
    const auto rest = static_cast<int>(i - std::int64_t{row} * blocks_in_row);
    const int quad = rest / channels, channel = rest - quad * channels;
    const DropoutKeep keep = keep_of(bits, pass, row, channel * quads + quad);
    T* const first = values + std::int64_t{4} * (i - rest) + std::int64_t{4} * quad * channels + channel;
    float four[4];
    for (int j = 0; j < 4; ++j) four[j] = load(first[j * channels]);
    for (int j = 0; j < 4; ++j) store(first[j * channels], keep.unit[j] ? four[j] * scale : 0.0F);
  }
}

// Any shape: an element's unit is looked up, one random block for each.
template <typename T>
__global__ void __launch_bounds__(block_threads)
    dropout_any_kernel(T* __restrict__ values, MapShape shape, const PassParameters* pass, DropoutBits bits,
                       float scale) {
  bits = bits_of_pass(bits, pass);
  const std::int64_t elements = shape.elements();
  for (std::int64_t i = thread_number(); i < elements; i += thread_count()) {
    const MapPlace place = place_of(shape, i);
    const int unit = (place.channel * shape.height + place.y) * shape.width + place.x;
    const DropoutKeep keep = keep_of(bits, pass, place.row, unit / 4);
    const int j = unit % 4;  // chosen without an index, which would put `keep` into local memory
    const bool kept = j < 2 ? (j == 0 ? keep.unit[0] : keep.unit[1]) : (j == 2 ? keep.unit[2] : keep.unit[3]);
    store(values[i], kept ? load(values[i]) * scale : 0.0F);
  }
}

}  // namespace

void dropout(cudaStream_t stream, void* values, const MapShape& shape, const PassParameters* pass,
             std::uint32_t number, double p) {
  if (shape.elements() == 0) return;
  const DropoutBits bits = make_bits(number, p);
  const auto scale = static_cast<float>(1.0 / (1.0 - p));
  const std::int64_t units = shape.row_elements(), plane = std::int64_t{shape.height} * shape.width;
  const bool in_order = shape.layout == Layout::channels_first || shape.channels == 1 || plane == 1;
  with_element(shape.element, [&](auto zero) {
    using T = decltype(zero);
    T* const elements = static_cast<T*>(values);
    if (in_order && units % 4 == 0 && vectors_in<float>(4, elements) == 1) {
      dropout_in_order_kernel<<<blocks_for(shape.elements() / 4), block_threads, 0, stream>>>(
          elements, shape.rows, static_cast<int>(units / 4), pass, bits, scale);
    } else if (!in_order && plane % 4 == 0) {
      dropout_of_quads_kernel<<<blocks_for(shape.elements() / 4), block_threads, 0, stream>>>(
          elements, shape.rows, shape.channels, static_cast<int>(plane / 4), pass, bits, scale);
    } else {
      dropout_any_kernel<<<blocks_for(shape.elements()), block_threads, 0, stream>>>(elements, shape, pass,
                                                                                     bits, scale);
    }
  });
  check_launch("dropout");
}

}  // namespace convoy::cuda
