#include "reference/reference_layers.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.hpp"

namespace convoy::test {
namespace {

// Outputs [begin, end) along one axis whose tap at `offset` (kernel place minus padding) lies inside the
// input.
struct OutputRange {
  int begin = 0, end = 0;
};

OutputRange outputs_inside(int in_side, int out_side, int stride, int offset) {
  OutputRange range{0, out_side};
  while (range.begin < range.end && range.begin * stride + offset < 0) ++range.begin;
  while (range.begin < range.end && (range.end - 1) * stride + offset >= in_side) --range.end;
  return range;
}

// Calls visit(tap, in_index, out_index) for every product of one filter plane: tap = ky · kernel + kx, the
// indices within the planes.
template <typename Visit>
void for_each_product(const Convolution& layer, Shape in, Shape out, const Visit& visit) {
  for (int ky = 0; ky < layer.kernel; ++ky) {
    const int y_offset = ky - layer.padding.before;
    const OutputRange rows = outputs_inside(in.height, out.height, layer.stride, y_offset);
    for (int kx = 0; kx < layer.kernel; ++kx) {
      const int x_offset = kx - layer.padding.before;
      const OutputRange columns = outputs_inside(in.width, out.width, layer.stride, x_offset);
      for (int y = rows.begin; y < rows.end; ++y) {
        const int in_row = (y * layer.stride + y_offset) * in.width + x_offset;
        for (int x = columns.begin; x < columns.end; ++x) {
          visit(ky * layer.kernel + kx, in_row + x * layer.stride, y * out.width + x);
        }
      }
    }
  }
}

// Window of output `index` of a max-pool along one axis, cut to the input.
OutputRange pool_window(const MaxPool& layer, int in_side, int index) {
  const int begin = index * layer.stride - layer.padding.before;
  return {std::max(begin, 0), std::min(begin + layer.window, in_side)};
}

// Window [⌊i·n/o⌋, ⌈(i+1)·n/o⌉) of an adaptive pool.
OutputRange adaptive_window(int in_side, int out_side, int index) {
  return {index * in_side / out_side, ((index + 1) * in_side + out_side - 1) / out_side};
}

// Index within the plane of the first maximum in a window, in row order.
int first_maximum(const double* plane, int width, OutputRange rows, OutputRange columns) {
  int best = rows.begin * width + columns.begin;
  for (int y = rows.begin; y < rows.end; ++y) {
    for (int x = columns.begin; x < columns.end; ++x) {
      if (plane[y * width + x] > plane[best]) best = y * width + x;
    }
  }
  return best;
}

// k + α/size · Σ a² over the neighbours of `channel`, at one place of a sample.
double normaliser(const LocalResponseNormalisation& layer, const Tensor& in, int row, int channel,
                  int place) {
  double sum = 0;
  const int half = layer.size / 2;
  const int last = std::min(channel + half, in.shape.channels - 1);
  for (int c = std::max(channel - half, 0); c <= last; ++c) {
    const double a = in.plane(row, c)[place];
    sum += a * a;
  }
  return double{layer.k} + double{layer.alpha} / layer.size * sum;
}

}  // namespace

void forward(const Convolution& layer, const ConstParameters& parameters, const Tensor& in, Tensor& out) {
  const int group_inputs = in.shape.channels / layer.groups, group_filters = layer.filters / layer.groups;
  const int area = layer.kernel * layer.kernel;
#pragma omp parallel for collapse(2) schedule(static)
  for (int n = 0; n < in.rows; ++n) {
    for (int filter = 0; filter < layer.filters; ++filter) {
      double* result = out.plane(n, filter);
      std::fill_n(result, out.shape.height * out.shape.width, parameters.bias[filter]);
      for (int c = 0; c < group_inputs; ++c) {
        const double* input = in.plane(n, filter / group_filters * group_inputs + c);
        const double* weight = parameters.weight + (1LL * filter * group_inputs + c) * area;
        for_each_product(layer, in.shape, out.shape,
                         [=](int tap, int from, int to) { result[to] += weight[tap] * input[from]; });
      }
    }
  }
}

void backward(const Convolution& layer, const ConstParameters& parameters, const Tensor& in,
              const Tensor& out_gradient, Tensor& in_gradient, const MutableParameters& gradients) {
  const int group_inputs = in.shape.channels / layer.groups, group_filters = layer.filters / layer.groups;
  const int area = layer.kernel * layer.kernel;
  const int places = out_gradient.shape.height * out_gradient.shape.width;
#pragma omp parallel for collapse(2) schedule(static)
  for (int n = 0; n < in.rows; ++n) {
    for (int channel = 0; channel < in.shape.channels; ++channel) {
      double* result = in_gradient.plane(n, channel);
      std::fill_n(result, in.shape.height * in.shape.width, 0.0);
      const int group = channel / group_inputs, c = channel % group_inputs;
      for (int filter = group * group_filters; filter < (group + 1) * group_filters; ++filter) {
        const double* from = out_gradient.plane(n, filter);
        const double* weight = parameters.weight + (1LL * filter * group_inputs + c) * area;
        for_each_product(layer, in.shape, out_gradient.shape,
                         [=](int tap, int to, int place) { result[to] += weight[tap] * from[place]; });
      }
    }
  }
#pragma omp parallel for schedule(static)
  for (int filter = 0; filter < layer.filters; ++filter) {
    for (int n = 0; n < in.rows; ++n) {
      const double* from = out_gradient.plane(n, filter);
      for (int place = 0; place < places; ++place) gradients.bias[filter] += from[place];
      for (int c = 0; c < group_inputs; ++c) {
        const double* input = in.plane(n, filter / group_filters * group_inputs + c);
        double* weight = gradients.weight + (1LL * filter * group_inputs + c) * area;
        for_each_product(layer, in.shape, out_gradient.shape,
                         [=](int tap, int at, int place) { weight[tap] += from[place] * input[at]; });
      }
    }
  }
}

void forward(const FullyConnected& layer, const ConstParameters& parameters, const Tensor& in, Tensor& out) {
  const long long inputs = in.shape.elements();
#pragma omp parallel for schedule(static)
  for (int o = 0; o < layer.outputs; ++o) {
    const double* weight = parameters.weight + o * inputs;
    for (int n = 0; n < in.rows; ++n) {
      double sum = parameters.bias[o];
      for (long long i = 0; i < inputs; ++i) sum += weight[i] * in.sample(n)[i];
      out.sample(n)[o] = sum;
    }
  }
}

void backward(const FullyConnected& layer, const ConstParameters& parameters, const Tensor& in,
              const Tensor& out_gradient, Tensor& in_gradient, const MutableParameters& gradients) {
  const long long inputs = in.shape.elements();
#pragma omp parallel for schedule(static)
  for (int n = 0; n < in.rows; ++n) {
    double* result = in_gradient.sample(n);
    std::fill_n(result, inputs, 0.0);
    for (int o = 0; o < layer.outputs; ++o) {
      const double from = out_gradient.sample(n)[o];
      const double* weight = parameters.weight + o * inputs;
      for (long long i = 0; i < inputs; ++i) result[i] += from * weight[i];
    }
  }
#pragma omp parallel for schedule(static)
  for (int o = 0; o < layer.outputs; ++o) {
    double* weight = gradients.weight + o * inputs;
    for (int n = 0; n < in.rows; ++n) {
      const double from = out_gradient.sample(n)[o];
      gradients.bias[o] += from;
      for (long long i = 0; i < inputs; ++i) weight[i] += from * in.sample(n)[i];
    }
  }
}

void forward(const Relu&, const Tensor& in, Tensor& out) {
  for (std::size_t i = 0; i < in.values.size(); ++i) out.values[i] = std::max(in.values[i], 0.0);
}

void backward(const Relu&, const Tensor& in, const Tensor& out_gradient, Tensor& in_gradient) {
  for (std::size_t i = 0; i < in.values.size(); ++i) {
    in_gradient.values[i] = in.values[i] > 0 ? out_gradient.values[i] : 0;
  }
}

void forward(const LocalResponseNormalisation& layer, const Tensor& in, Tensor& out) {
  for (int n = 0; n < in.rows; ++n) {
    for (int c = 0; c < in.shape.channels; ++c) {
      for (int place = 0; place < in.shape.height * in.shape.width; ++place) {
        const double scale = normaliser(layer, in, n, c, place);
        out.plane(n, c)[place] = in.plane(n, c)[place] * std::pow(scale, -double{layer.beta});
      }
    }
  }
}

// With s_c the normaliser of channel c: ∂L/∂a_i = g_i s_i^−β − 2αβ/size · a_i Σ_c g_c a_c s_c^−β−1, the sum
// over the channels c that have i as a neighbour.
void backward(const LocalResponseNormalisation& layer, const Tensor& in, const Tensor& out_gradient,
              Tensor& in_gradient) {
  const int channels = in.shape.channels, half = layer.size / 2;
  const double beta = layer.beta, factor = 2 * double{layer.alpha} * beta / layer.size;
  std::vector<double> scale(static_cast<std::size_t>(channels));
  for (int n = 0; n < in.rows; ++n) {
    for (int place = 0; place < in.shape.height * in.shape.width; ++place) {
      for (int c = 0; c < channels; ++c) scale[c] = normaliser(layer, in, n, c, place);
      for (int i = 0; i < channels; ++i) {
        double sum = 0;
        for (int c = std::max(i - half, 0); c <= std::min(i + half, channels - 1); ++c) {
          sum += out_gradient.plane(n, c)[place] * in.plane(n, c)[place] * std::pow(scale[c], -beta - 1);
        }
        in_gradient.plane(n, i)[place] = out_gradient.plane(n, i)[place] * std::pow(scale[i], -beta) -
                                         factor * in.plane(n, i)[place] * sum;
      }
    }
  }
}

void forward(const MaxPool& layer, const Tensor& in, Tensor& out) {
  for (int n = 0; n < in.rows; ++n) {
    for (int c = 0; c < in.shape.channels; ++c) {
      const double* input = in.plane(n, c);
      for (int y = 0; y < out.shape.height; ++y) {
        for (int x = 0; x < out.shape.width; ++x) {
          out.plane(n, c)[y * out.shape.width + x] =
              input[first_maximum(input, in.shape.width, pool_window(layer, in.shape.height, y),
                                  pool_window(layer, in.shape.width, x))];
        }
      }
    }
  }
}

void backward(const MaxPool& layer, const Tensor& in, const Tensor& out_gradient, Tensor& in_gradient) {
  const Shape out = out_gradient.shape;
  std::fill(in_gradient.values.begin(), in_gradient.values.end(), 0.0);
  for (int n = 0; n < in.rows; ++n) {
    for (int c = 0; c < in.shape.channels; ++c) {
      const double* input = in.plane(n, c);
      for (int y = 0; y < out.height; ++y) {
        for (int x = 0; x < out.width; ++x) {
          const int winner = first_maximum(input, in.shape.width, pool_window(layer, in.shape.height, y),
                                           pool_window(layer, in.shape.width, x));
          in_gradient.plane(n, c)[winner] += out_gradient.plane(n, c)[y * out.width + x];
        }
      }
    }
  }
}

namespace {

// Calls visit(in_index, out_index, share) for every input of every window of a plane.
template <typename Visit>
void for_each_share(const AdaptiveAveragePool& layer, Shape in, const Visit& visit) {
  for (int y = 0; y < layer.output; ++y) {
    const OutputRange rows = adaptive_window(in.height, layer.output, y);
    for (int x = 0; x < layer.output; ++x) {
      const OutputRange columns = adaptive_window(in.width, layer.output, x);
      const double share = 1.0 / ((rows.end - rows.begin) * (columns.end - columns.begin));
      for (int row = rows.begin; row < rows.end; ++row) {
        for (int column = columns.begin; column < columns.end; ++column) {
          visit(row * in.width + column, y * layer.output + x, share);
        }
      }
    }
  }
}

}  // namespace

void forward(const AdaptiveAveragePool& layer, const Tensor& in, Tensor& out) {
  std::fill(out.values.begin(), out.values.end(), 0.0);
  for (int n = 0; n < in.rows; ++n) {
    for (int c = 0; c < in.shape.channels; ++c) {
      for_each_share(layer, in.shape, [&](int from, int to, double share) {
        out.plane(n, c)[to] += share * in.plane(n, c)[from];
      });
    }
  }
}

void backward(const AdaptiveAveragePool& layer, const Tensor& in, const Tensor& out_gradient,
              Tensor& in_gradient) {
  std::fill(in_gradient.values.begin(), in_gradient.values.end(), 0.0);
  for (int n = 0; n < in.rows; ++n) {
    for (int c = 0; c < in.shape.channels; ++c) {
      for_each_share(layer, in.shape, [&](int to, int from, double share) {
        in_gradient.plane(n, c)[to] += share * out_gradient.plane(n, c)[from];
      });
    }
  }
}

void apply_dropout(const Dropout& layer, const DropoutBits& bits, std::int64_t first_position,
                   const Tensor& in, Tensor& out) {
  const long long units = in.shape.elements();
  for (int n = 0; n < in.rows; ++n) {
    const auto position = static_cast<std::uint32_t>(first_position + n);
    for (long long unit = 0; unit < units; ++unit) {
      const PhiloxBlock block =
          dropout_block(bits.seed, bits.step, bits.layer, position, static_cast<std::uint32_t>(unit / 4));
      const bool kept = block.word[unit % 4] >= bits.threshold;
      out.sample(n)[unit] = kept ? in.sample(n)[unit] / (1 - layer.p) : 0;
    }
  }
}

}  // namespace convoy::test
