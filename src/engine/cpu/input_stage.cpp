#include "engine/cpu/input_stage.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "data/input_arithmetic.hpp"
#include "engine/bfloat16.hpp"

namespace convoy::cpu {

namespace {

// Pixels of a row handled at a time, on the stack.
constexpr int piece = 256;

// The positions of one sample's elements in the output, whose channels are squares of `patch` × `patch`
// pixels (1: of one) in blocks of `block`.
struct Placement {
  Shape shape;                                    // of the output
  std::int64_t channel = 0, row = 0, column = 0;  // strides: of a block of channels
  int block = 1;
  int patch = 1, before = 0;  // rows and columns of zeros before the image

  std::int64_t of_channel(int c) const { return c / block * channel + c % block; }
  // Of colour `c` of the pixel (in_y, in_x) of a patch.
  std::int64_t of_pixel(int in_y, int in_x, int c) const { return of_channel((in_y * patch + in_x) * 3 + c); }
};

// One channel of neighbouring pixels of a stored row, walked forwards (step 1) or, mirrored, backwards (−1).
struct RowPiece {
  const std::uint8_t* pixels = nullptr;  // of the first one, its channel
  const float* means = nullptr;          // of the first one
  int pixel_step = 0, mean_step = 0;     // mean_step 0: one mean for all
  int count = 0;
};

CONVOY_VECTORISED void normalise_forwards(const RowPiece& row, float colour, float scale, float* out) {
  for (int i = 0; i < row.count; ++i) {
    out[i] = normalised(static_cast<float>(row.pixels[3 * i]) - row.means[i * row.mean_step], colour, scale);
  }
}

CONVOY_VECTORISED void normalise_any(const RowPiece& row, float colour, float scale, float* out) {
  for (int i = 0; i < row.count; ++i) {
    out[i] = normalised(static_cast<float>(row.pixels[row.pixel_step * i]) - row.means[i * row.mean_step],
                        colour, scale);
  }
}

CONVOY_VECTORISED void store_contiguous(const float* values, int count, Bfloat16* out) {
  for (int i = 0; i < count; ++i) out[i] = to_bfloat16(values[i]);
}
void store_contiguous(const float* values, int count, float* out) {
  std::copy_n(values, count, out);
}

// Pixels of one colour, from (y, x) on. Those that no window of the convolution reaches have no place.
template <typename Element>
void store_in_patches(const float* values, int count, int y, int x, int c, const Placement& to,
                      Element* out) {
  const int patch = to.patch, row = y + to.before, column = x + to.before;
  if (row / patch >= to.shape.height) return;
  count = std::min(count, to.shape.width * patch - column);
  for (int in = 0; in < patch; ++in) {
    const int first = (in - column % patch + patch) % patch;
    Element* place =
        out + to.of_pixel(row % patch, in, c) + row / patch * to.row + (column + first) / patch * to.column;
    for (int i = first; i < count; i += patch, place += to.column) store_element(*place, values[i]);
  }
}

// Zeros where patches reach beyond the image, and in a last block that is not full.
template <typename Element>
void clear_around(const Shape& image, const Placement& to, std::int64_t elements, Element* out) {
  if (to.shape.channels % to.block != 0) {
    std::fill_n(out, elements, Element{});
    return;
  }
  const auto is_inside = [&](int place, int size) {
    return place * to.patch >= to.before && (place + 1) * to.patch <= to.before + size;
  };
  for (int y = 0; y < to.shape.height; ++y) {
    const bool whole = is_inside(y, image.height);
    for (int x = 0; x < to.shape.width; ++x) {
      if (whole && is_inside(x, image.width)) continue;
      for (int c = 0; c < to.shape.channels; c += to.block)
        std::fill_n(out + to.of_channel(c) + y * to.row + x * to.column, to.block, Element{});
    }
  }
}

template <typename Element>
void store_row(const float* values, int count, Element* out, std::int64_t stride) {
  if (stride == 1) {
    store_contiguous(values, count, out);
  } else {
    for (int i = 0; i < count; ++i) store_element(out[i * stride], values[i]);
  }
}

// Whether the transform fetches whole pixels along stored rows, as crops and mirrors do.
bool walks_rows(const SampleTransform& transform) {
  const float* m = transform.matrix;
  return transform.resample == 0 && std::fabs(m[0]) == 1.0F && m[1] == 0.0F && m[3] == 0.0F;
}

template <typename Element>
void fill_by_rows(const StoredImage& image, const SampleTransform& transform, const float* scale,
                  const Shape& shape, const Placement& placement, Element* out) {
  std::array<float, piece> values;
  const int step = static_cast<int>(transform.matrix[0]);
  for (int y = 0; y < shape.height; ++y) {
    const auto row =
        static_cast<std::int64_t>(transform.matrix[4] * static_cast<float>(y) + transform.matrix[5]);
    for (int x = 0; x < shape.width; x += piece) {
      const auto column = static_cast<std::int64_t>(transform.matrix[2]) + step * x;
      const std::int64_t place = row * image.side + column;
      for (int c = 0; c < 3; ++c) {
        const std::int64_t mean =
            image.mean_image ? static_cast<std::int64_t>(c) * image.side * image.side + place : c;
        const RowPiece source{.pixels = image.pixels + place * 3 + c,
                              .means = image.mean + mean,
                              .pixel_step = 3 * step,
                              .mean_step = image.mean_image ? step : 0,
                              .count = std::min(piece, shape.width - x)};
        (step == 1 ? normalise_forwards : normalise_any)(source, transform.colour[c], scale[c],
                                                         values.data());
        if (placement.patch > 1) {
          store_in_patches(values.data(), source.count, y, x, c, placement, out);
          continue;
        }
        store_row(values.data(), source.count,
                  out + c * placement.channel + y * placement.row + x * placement.column, placement.column);
      }
    }
  }
}

template <typename Element>
void fill_by_pixels(const StoredImage& image, const SampleTransform& transform, const float* scale,
                    const Shape& shape, const Placement& placement, Element* out) {
  for (int c = 0; c < 3; ++c) {
    for (int y = 0; y < shape.height; ++y) {
      for (int x = 0; x < shape.width; ++x) {
        const float value = input_value(image, transform, scale[c], c, y, x);
        if (placement.patch > 1)
          store_in_patches(&value, 1, y, x, c, placement, out);
        else
          store_element(out[c * placement.channel + y * placement.row + x * placement.column], value);
      }
    }
  }
}

}  // namespace

InputStage::InputStage(Builder& builder, const InputSpec& input, const Shape& shape, bool patches)
    : input_(input), shape_(shape) {
  output_ = builder.tensor(plain_desc(builder.dims(shape), builder.activation_type()));
  output_->adaptable = true;
  output_->patchable = patches;
  builder.tick();
}

void InputStage::run(const BatchView& batch) const {
  if (data_type_of(output_->desc) == memory::data_type::bf16) {
    run_as<Bfloat16>(batch);
  } else {
    run_as<float>(batch);
  }
}

template <typename Element>
void InputStage::run_as(const BatchView& batch) const {
  const memory::dims strides = strides_of(output_->desc), dims = dims_of(output_->desc);
  const Placement placement{
      .shape = {static_cast<int>(dims[1]), static_cast<int>(dims[2]), static_cast<int>(dims[3])},
      .channel = strides[1],
      .row = strides[2],
      .column = strides[3],
      .block = static_cast<int>(channel_block_of(output_->desc)),
      .patch = output_->patches.side,
      .before = output_->patches.before};
  auto* out = static_cast<Element*>(output_->values.get_data_handle());
  const std::int64_t samples = dims[0];
  const std::int64_t stored_bytes = std::int64_t{3} * input_.stored_side * input_.stored_side;
#pragma omp parallel for schedule(static)
  for (std::int64_t sample = 0; sample < samples; ++sample) {
    Element* place = out + sample * strides[0];
    if (sample >= batch.rows) {
      std::fill_n(place, strides[0], Element{});
      continue;
    }
    const StoredImage image{.pixels = batch.images.data() + sample * stored_bytes,
                            .mean = input_.mean.data(),
                            .side = input_.stored_side,
                            .mean_image = input_.mean.size() > 3};
    if (placement.patch > 1) clear_around(shape_, placement, strides[0], place);
    const SampleTransform& transform = batch.transforms[static_cast<std::size_t>(sample)];
    if (walks_rows(transform)) {
      fill_by_rows(image, transform, input_.scale, shape_, placement, place);
    } else {
      fill_by_pixels(image, transform, input_.scale, shape_, placement, place);
    }
  }
}

}  // namespace convoy::cpu
