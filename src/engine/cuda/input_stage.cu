// A block makes bands of four rows of pixels of one image: a thread makes four pixels side by side, twelve
// values from twelve bytes, which it loads as words where the image is a plain crop. The band is put together
// in shared memory as it will lie in the map and written from there in vectors of 16 bytes.
#include "data/input_arithmetic.hpp"
#include "engine/cuda/kernels.hpp"
#include "engine/cuda/launch.cuh"

namespace convoy::cuda {

namespace {

constexpr int unit = 4;                      // pixels side by side, of a thread
constexpr int units = 64;                    // side by side, of a block
constexpr int chunk = unit * units;          // pixels of a row, of a block
constexpr int band = block_threads / units;  // rows of pixels, of a block at a time

// What a launch works on.
struct InputWork {
  const std::uint8_t* images;
  const SampleTransform* transforms;
  const PassParameters* pass;
  InputConstants constants;
  InputFrame frame;
  int height, width;  // of the map
};

// How a band lies in the map: as runs of elements side by side, a row of the map each. `Patch`: that of the
// frame, or 0 for channels_first, whose runs are rows of a plane.
template <typename T, int Patch>
struct BandLayout {
  static constexpr int patch = Patch == 0 ? 1 : Patch;
  static constexpr int channels = Patch == 0 ? 1 : 3 * Patch * Patch;  // elements at one place of a run
  static constexpr int runs = Patch == 0 ? 3 * band : band / Patch;
  static constexpr int run_places = chunk / patch;
  // A run starts as many elements behind a multiple of 16 bytes as it does in the map.
  static constexpr int room = run_places * channels + Vector<T>::size;
  static constexpr int run_threads = units * patch;  // that write a run
  // Elements that a thread stores side by side, aligned in every run.
  static constexpr int group = patch;
  // Whether every run begins and ends at a multiple of 16 bytes.
  static constexpr bool aligned = channels % Vector<T>::size == 0;
};

// A run of the band whose first pixel is (y, x) of the map's pixels.
struct Run {
  std::int64_t begin;  // its first element in the map
  int elements;        // 0: beyond the map
};

template <typename T, int Patch>
__device__ Run run_of(const InputWork& work, std::int64_t row, int y, int x, int run) {
  using Band = BandLayout<T, Patch>;
  const int map_y =
      Patch == 0 ? y + run % band : static_cast<int>(static_cast<unsigned>(y) / Band::patch) + run;
  const auto map_x = static_cast<int>(static_cast<unsigned>(x) / Band::patch);
  if (map_y >= work.height) return {0, 0};
  const std::int64_t plane = Patch == 0 ? 3 * row + run / band : row;
  const int places = work.width - map_x < Band::run_places ? work.width - map_x : Band::run_places;
  return {((plane * work.height + map_y) * work.width + map_x) * Band::channels, places * Band::channels};
}

// Elements by which a run misses a multiple of 16 bytes.
template <typename T, int Patch>
__device__ int beyond_vector(const Run& run) {
  if constexpr (BandLayout<T, Patch>::aligned) return 0;
  return static_cast<int>(static_cast<std::uint64_t>(run.begin) % Vector<T>::size);
}

// Where a thread stores its unit: element e = 3 · pixel + channel of it.
template <typename T, int Patch>
struct UnitPlace {
  using Band = BandLayout<T, Patch>;
  T* first[Patch == 0 ? 3 : 1];

  __device__ UnitPlace(const InputWork& work, std::int64_t row, int y, int x, int line, int column,
                       T* staged) {
    if constexpr (Patch == 0) {
      for (int c = 0; c < 3; ++c) {
        const int run = c * band + line;
        first[c] = staged + run * Band::room +
                   beyond_vector<T, Patch>(run_of<T, Patch>(work, row, y, x, run)) + unit * column;
      }
    } else {
      const int run = line / Patch;
      first[0] = staged + run * Band::room + beyond_vector<T, Patch>(run_of<T, Patch>(work, row, y, x, run)) +
                 (unit / Patch * column * Patch + line % Patch) * Patch * 3;
    }
  }

  __device__ T* at(int e) const {
    if constexpr (Patch == 0) return first[e % 3] + e / 3;
    // Two pixels of a patch of 2, then the next patch: its other line lies in between.
    return first[0] + (Patch == 2 && e >= 6 ? e + 6 : e);
  }
};

template <typename T, int Size>
struct alignas(Size * sizeof(T)) Group {
  T at[Size];
};

template <typename T, int Patch>
__device__ void store_unit(const UnitPlace<T, Patch>& place, const float (&value)[3 * unit]) {
  constexpr int size = BandLayout<T, Patch>::group;
  for (int e = 0; e < 3 * unit; e += size) {
    Group<T, size> group;
    for (int i = 0; i < size; ++i) store(group.at[i], value[e + i]);
    *reinterpret_cast<Group<T, size>*>(place.at(e)) = group;
  }
}

// One image, as a thread keeps it while it goes through the bands.
struct Sample {
  StoredImage image;
  SampleTransform transform;
  float mean[3] = {0, 0, 0};                // where it is not an image
  const std::uint8_t *images, *images_end;  // of the rows that are there
  bool there;

  __device__ Sample(const InputWork& work, int row) {
    const std::int64_t bytes = std::int64_t{3} * work.constants.stored_side * work.constants.stored_side;
    const int rows = work.pass->rows;
    there = row < rows;
    images = work.images;
    images_end = work.images + bytes * rows;
    image = {work.images + bytes * row, work.constants.mean, work.constants.stored_side,
             work.constants.mean_image};
    if (there) transform = work.transforms[row];
    if (!image.mean_image)
      for (int c = 0; c < 3; ++c) mean[c] = image.mean[c];
  }

  // Rows of the crop are rows of the image, in this or the other direction.
  __device__ bool plain() const {
    const float* m = transform.matrix;
    return transform.resample == 0 && (m[0] == 1.0F || m[0] == -1.0F) && m[1] == 0.0F && m[3] == 0.0F &&
           m[4] == 1.0F;
  }
};

// The twelve bytes from `first` on, as three words; those outside the images that are there stay 0. Four
// aligned words hold them.
__device__ void load_bytes(const Sample& sample, const std::uint8_t* first, std::uint32_t (&bytes)[3]) {
  const auto beyond_word = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(first) & 3);
  const std::uint8_t* const aligned = first - beyond_word;
  if (aligned >= sample.images && aligned + 16 <= sample.images_end) {
    const auto* words = reinterpret_cast<const std::uint32_t*>(aligned);
    const std::uint32_t word[4] = {words[0], words[1], words[2], words[3]};
    for (int i = 0; i < 3; ++i) bytes[i] = __funnelshift_r(word[i], word[i + 1], beyond_word * 8);
    return;
  }
  for (int i = 0; i < 12; ++i) {
    const std::uint8_t* place = first + i;
    const std::uint32_t byte = place >= sample.images && place < sample.images_end ? *place : 0;
    bytes[i / 4] = (i % 4 == 0 ? 0 : bytes[i / 4]) | byte << i % 4 * 8;
  }
}

// The values of four pixels, of which `stored` has three bytes each, from x of a row of the crop on; zero
// outside it. `pixel`: the leftmost of them in the stored image.
template <bool MeanImage>
__device__ void crop_values(const InputWork& work, const Sample& sample, const std::uint32_t (&stored)[unit],
                            bool mirrored, int pixel, int x, float (&value)[3 * unit]) {
  const StoredImage& image = sample.image;
  for (int p = 0; p < unit; ++p) {
    const std::uint32_t three = mirrored ? stored[unit - 1 - p] : stored[p];
    const bool inside = static_cast<unsigned>(x + p) < static_cast<unsigned>(work.frame.side);
    for (int c = 0; c < 3; ++c) {
      float mean = sample.mean[c];
      if (MeanImage && inside)
        mean = image.mean[c * image.side * image.side + pixel + (mirrored ? unit - 1 - p : p)];
      const float centred = static_cast<float>(static_cast<std::uint8_t>(three >> 8 * c)) - mean;
      value[3 * p + c] =
          inside ? normalised(centred, sample.transform.colour[c], work.constants.scale[c]) : 0.0F;
    }
  }
}

// Four pixels of a plain crop, from (y, x) on.
__device__ void crop_unit(const InputWork& work, const Sample& sample, int y, int x,
                          float (&value)[3 * unit]) {
  const StoredImage& image = sample.image;
  const bool mirrored = sample.transform.matrix[0] < 0.0F;
  const int line = static_cast<int>(sample.transform.matrix[5]) + y;
  const int offset = static_cast<int>(sample.transform.matrix[2]);
  const int column = mirrored ? offset - x - (unit - 1) : offset + x;  // the leftmost of the four
  const int pixel = line * image.side + column;
  std::uint32_t bytes[3];
  load_bytes(sample, image.pixels + std::int64_t{3} * pixel, bytes);
  // Three bytes each, the fourth is another pixel's.
  const std::uint32_t stored[unit] = {bytes[0], __byte_perm(bytes[0], bytes[1], 0x6543),
                                      __byte_perm(bytes[1], bytes[2], 0x5432), bytes[2] >> 8};
  if (image.mean_image) {
    crop_values<true>(work, sample, stored, mirrored, pixel, x, value);
  } else {
    crop_values<false>(work, sample, stored, mirrored, pixel, x, value);
  }
}

// Four pixels of any other transform, one by one.
template <typename T, int Patch>
__device__ void transform_unit(const InputWork& work, const Sample& sample, int y, int x,
                               const UnitPlace<T, Patch>& place) {
#pragma unroll 1
  for (int p = 0; p < unit; ++p) {
    const bool inside = x + p >= 0 && x + p < work.frame.side;
    for (int c = 0; c < 3; ++c) {
      const float value =
          inside ? input_value(sample.image, sample.transform, work.constants.scale[c], c, y, x + p) : 0.0F;
      store(*place.at(3 * p + c), value);
    }
  }
}

// The thread's four pixels of the band whose first pixel is (y, x) of the map's.
template <typename T, int Patch>
__device__ void make_unit(const InputWork& work, const Sample& sample, bool plain, int row, int y, int x,
                          T* staged) {
  constexpr int patch = BandLayout<T, Patch>::patch;
  // Lines of a patch come first, so that neighbours store side by side.
  const unsigned thread = threadIdx.x;
  const auto line = static_cast<int>(thread / (patch * units) * patch + thread % patch);
  const auto column = static_cast<int>(thread / patch % units);
  if (y + line >= work.height * patch || x + unit * column >= work.width * patch) return;
  const UnitPlace<T, Patch> place(work, row, y, x, line, column, staged);
  const int own_y = y + line - work.frame.before, own_x = x + unit * column - work.frame.before;
  const bool inside =
      sample.there && own_y >= 0 && own_y < work.frame.side && own_x + unit > 0 && own_x < work.frame.side;
  if (inside && !plain) {
    transform_unit(work, sample, own_y, own_x, place);
    return;
  }
  float value[3 * unit] = {};
  if (inside) crop_unit(work, sample, own_y, own_x, value);
  store_unit<T, Patch>(place, value);
}

// Writes the band; vectors that are not its own to both ends element by element.
template <typename T, int Patch>
__device__ void write_band(const InputWork& work, int row, int y, int x, const T* staged, T* output) {
  using Band = BandLayout<T, Patch>;
  constexpr int size = Vector<T>::size;
  const unsigned thread = threadIdx.x;
  const int lane = static_cast<int>(thread % Band::run_threads) * size;
  for (auto number = static_cast<int>(thread / Band::run_threads); number < Band::runs;
       number += block_threads / Band::run_threads) {
    const Run run = run_of<T, Patch>(work, row, y, x, number);
    const int begin = beyond_vector<T, Patch>(run), end = begin + run.elements;
    const T* const from = staged + number * Band::room;
    T* const to = output + (run.begin - begin);
#pragma unroll 1
    for (int j = lane; j < end; j += Band::run_threads * size) {
      if constexpr (!Band::aligned) {
        if (j < begin || j + size > end) {
          for (int i = j < begin ? begin : j; i < j + size && i < end; ++i) to[i] = from[i];
          continue;
        }
      }
      *reinterpret_cast<Vector<T>*>(to + j) = *reinterpret_cast<const Vector<T>*>(from + j);
    }
  }
}

// Blocks: (image, share of its bands, chunk of its rows).
template <typename T, int Patch>
__global__ void __launch_bounds__(block_threads, 4) input_kernel(InputWork work, T* __restrict__ output) {
  using Band = BandLayout<T, Patch>;
  __shared__ Vector<T> shared[Band::runs * Band::room / Vector<T>::size];
  T* const staged = shared[0].at;
  const auto row = static_cast<int>(blockIdx.x), x = static_cast<int>(blockIdx.z) * chunk;
  const Sample sample(work, row);
  const bool plain = sample.there && sample.plain();
  for (int y = static_cast<int>(blockIdx.y) * band; y < work.height * Band::patch;
       y += static_cast<int>(gridDim.y) * band) {
    make_unit<T, Patch>(work, sample, plain, row, y, x, staged);
    __syncthreads();
    write_band<T, Patch>(work, row, y, x, staged, output);
    __syncthreads();
  }
}

template <typename T, int Patch>
void launch(cudaStream_t stream, const InputWork& work, int rows, void* output) {
  constexpr int patch = BandLayout<T, Patch>::patch;
  const int bands = (work.height * patch + band - 1) / band;
  const int chunks = (work.width * patch + chunk - 1) / chunk;
  // A block reads its image's transform once for all its bands.
  const std::int64_t shares = (most_blocks + rows - 1) / rows;
  const dim3 grid(static_cast<unsigned>(rows),
                  static_cast<unsigned>(std::min<std::int64_t>(std::min(bands, 65535), shares)),
                  static_cast<unsigned>(chunks));
  input_kernel<T, Patch><<<grid, block_threads, 0, stream>>>(work, static_cast<T*>(output));
}

}  // namespace

void input_stage(cudaStream_t stream, const std::uint8_t* images, const SampleTransform* transforms,
                 const InputConstants& constants, const PassParameters* pass, void* output,
                 const MapShape& shape, const InputFrame& frame) {
  if (shape.elements() == 0) return;
  const InputWork work{images, transforms, pass, constants, frame, shape.height, shape.width};
  with_element(shape.element, [&](auto zero) {
    using T = decltype(zero);
    if (shape.layout == Layout::channels_first) {
      launch<T, 0>(stream, work, shape.rows, output);
    } else if (frame.patch == 1) {
      launch<T, 1>(stream, work, shape.rows, output);
    } else if (frame.patch == 2) {
      launch<T, 2>(stream, work, shape.rows, output);
    } else {
      launch<T, 4>(stream, work, shape.rows, output);
    }
  });
  check_launch("input_stage");
}

}  // namespace convoy::cuda
