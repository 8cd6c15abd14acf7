#include "engine/cpu/normalisation_gradient.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/host_device.hpp"

namespace convoy::cpu {

namespace {

constexpr int most_channels = 512, most_window = 9;
// Places of a map that a thread takes at a time.
constexpr std::int64_t chunk = 64;

struct Constants {
  float k, scale, beta;  // scale: α/n
  int half;              // channels of the window on either side
};

// The channels of one place in a row, with zeros where a window reaches beyond them.
struct Row {
  static constexpr int margin = most_window / 2;
  std::array<float, most_channels + 2 * margin> values{};

  float* begin() { return values.data() + margin; }
};

// Where the channels of one place are: `blocks` of `length` neighbours, `stride` elements apart.
struct Blocks {
  int blocks, length;
  std::int64_t stride;
};

// s^−β; 3/4, as all networks have it, is two square roots.
template <bool ThreeQuarters>
float power(float s, float beta) {
  if constexpr (ThreeQuarters) {
    const float root = std::sqrt(s);
    return 1 / (root * std::sqrt(root));
  } else {
    return std::pow(s, -beta);
  }
}

template <bool ThreeQuarters>
CONVOY_VECTORISED void gradient_of_places(const Constants& c, const Blocks& blocks, std::int64_t places,
                                          const float* __restrict input,
                                          const float* __restrict output_gradient,
                                          float* __restrict input_gradient) {
  Row squares, products;
  std::array<float, most_channels> x, own;
  const int channels = blocks.blocks * blocks.length;
  float *const square = squares.begin(), *const product = products.begin();
  for (std::int64_t place = 0; place < places; ++place) {
    const std::int64_t at = place * blocks.length;
    for (int block = 0; block < blocks.blocks; ++block) {
      const float* const from = input + at + block * blocks.stride;
      const float* const gradient = output_gradient + at + block * blocks.stride;
      for (int i = 0; i < blocks.length; ++i) {
        const int channel = block * blocks.length + i;
        x[channel] = from[i];
        own[channel] = gradient[i];
        square[channel] = from[i] * from[i];
      }
    }
    for (int i = 0; i < channels; ++i) {
      float sum = 0;
      for (int j = -c.half; j <= c.half; ++j) sum += square[i + j];
      const float s = c.k + c.scale * sum;
      own[i] *= power<ThreeQuarters>(s, c.beta);
      product[i] = own[i] * x[i] / s;
    }
    const float factor = 2 * c.scale * c.beta;
    for (int i = 0; i < channels; ++i) {
      float sum = 0;
      for (int j = -c.half; j <= c.half; ++j) sum += product[i + j];
      own[i] -= factor * x[i] * sum;
    }
    for (int block = 0; block < blocks.blocks; ++block) {
      float* const to = input_gradient + at + block * blocks.stride;
      for (int i = 0; i < blocks.length; ++i) to[i] = own[block * blocks.length + i];
    }
  }
}

}  // namespace

std::optional<NormalisationGradient> NormalisationGradient::make(const LocalResponseNormalisation& layer,
                                                                 const memory::desc& maps) {
  using Tag = memory::format_tag;
  if (data_type_of(maps) != memory::data_type::f32) return std::nullopt;
  const memory::dims dims = dims_of(maps);
  if (layer.size % 2 == 0 || layer.size > most_window || dims[1] > most_channels) return std::nullopt;
  NormalisationGradient result;
  result.layer_ = layer;
  result.samples_ = dims[0];
  result.channels_ = static_cast<int>(dims[1]);
  result.places_ = dims[2] * dims[3];
  const auto is = [&](Tag tag) { return maps == memory::desc(dims, memory::data_type::f32, tag); };
  result.block_ = is(Tag::nhwc) ? result.channels_ : is(Tag::nChw8c) ? 8 : is(Tag::nChw16c) ? 16 : 0;
  // Channels that fill up a block would take part in windows.
  if (result.block_ == 0 || result.channels_ % result.block_ != 0) return std::nullopt;
  return result;
}

void NormalisationGradient::run(const float* input, const float* output_gradient,
                                float* input_gradient) const {
  const Constants constants{layer_.k, layer_.alpha / static_cast<float>(layer_.size), layer_.beta,
                            layer_.size / 2};
  const Blocks blocks{channels_ / block_, block_, places_ * block_};
  const auto kernel = layer_.beta == 0.75F ? gradient_of_places<true> : gradient_of_places<false>;
  const std::int64_t chunks = (places_ + chunk - 1) / chunk;
#pragma omp parallel for schedule(static) collapse(2)
  for (std::int64_t sample = 0; sample < samples_; ++sample) {
    for (std::int64_t part = 0; part < chunks; ++part) {
      const std::int64_t at = sample * places_ * channels_ + part * chunk * block_;
      kernel(constants, blocks, std::min(chunk, places_ - part * chunk), input + at, output_gradient + at,
             input_gradient + at);
    }
  }
}

}  // namespace convoy::cpu
