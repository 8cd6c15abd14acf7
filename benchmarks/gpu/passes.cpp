#include "passes.hpp"

#include <algorithm>
#include <optional>

#include "base/error.hpp"
#include "engine/input_patches.hpp"
#include "model/parameter_table.hpp"

namespace convoy::gpu_benchmark {
namespace {

constexpr double float_bytes = 4;

double numbers(const Shape& shape) {
  return static_cast<double>(shape.elements());
}

// Goes through the layers once, adding what forward does behind what is there and what backward does in
// front.
class PassList {
 public:
  PassList(const NetSpec& spec, const PassOptions& options)
      : spec_(spec),
        options_(options),
        narrow_(options.precision == Precision::bf16 || options.precision == Precision::fp16),
        channels_last_(options.precision != Precision::fp32),
        element_(narrow_ ? 2 : 4),
        shapes_(infer_shapes(spec)),
        written_input_(as_written()) {}

  std::vector<Pass> make() {
    add_input();
    for (std::size_t i = 0; i < spec_.layers.size(); ++i) {
      i = add_layer(i);
      if (relu_is_owed_ && !keeps_positive(i + 1)) add_relu_gradient(i);
    }
    add_loss();
    std::vector<Pass> passes = std::move(forward_);
    // Backward goes through the layers from the last to the first; within a layer in the order of adding.
    for (auto layer = backward_.rbegin(); layer != backward_.rend(); ++layer)
      passes.insert(passes.end(), layer->begin(), layer->end());
    add_update(passes);
    return passes;
  }

 private:
  const Shape& input_of(std::size_t i) const { return i == 0 ? spec_.input : shapes_[i - 1]; }
  // The network's input as the first layer reads it: in NHWC perhaps in patches.
  Shape as_written() const {
    const auto* first = layer_at<Convolution>(0);
    const int patch = first != nullptr && channels_last_ ? patch_side(*first, spec_.input) : 1;
    return patch == 1 ? spec_.input : patched_input(*first, spec_.input, shapes_[0], patch);
  }
  template <typename Kind>
  const Kind* layer_at(std::size_t i) const {
    return i < spec_.layers.size() ? std::get_if<Kind>(&spec_.layers[i]) : nullptr;
  }

  void forward(const std::string& layer, const std::string& what, double image_numbers, double weights = 0,
               double multiplications = 0) {
    forward_.push_back(
        {layer, Phase::forward, what, image_numbers * element_, weights * element_, 2 * multiplications});
  }
  void backward(std::vector<Pass>& passes, const std::string& layer, const std::string& what,
                double image_numbers, double step_bytes = 0, double multiplications = 0) const {
    passes.push_back(
        {layer, Phase::backward, what, image_numbers * element_, step_bytes, 2 * multiplications});
  }

  void add_input() {
    // uint8 pixels of the crop, and the input's elements.
    const double bytes = numbers(spec_.input) + numbers(written_input_) * element_;
    forward_.push_back({"input", Phase::forward, "crop, mirror, normalise", bytes, 0, 0});
  }

  // Returns the index of the last layer that was taken.
  std::size_t add_layer(std::size_t i) {
    if (const auto* convolution = layer_at<Convolution>(i)) {
      last_ = convolution->name;
      return add_convolution(i, *convolution);
    }
    if (const auto* connected = layer_at<FullyConnected>(i)) {
      last_ = connected->name;
      return add_fully_connected(i, *connected);
    }
    if (layer_at<LocalResponseNormalisation>(i)) {
      add_normalisation(i);
    } else if (layer_at<MaxPool>(i)) {
      add_pool(i);
    } else if (layer_at<AdaptiveAveragePool>(i)) {
      add_adaptive_pool(i);
    } else if (layer_at<Dropout>(i)) {
      add_dropout(i);
    }
    return i;
  }

  // Convolution, bias and ReLU, whose forward is one pass; the layers behind it too, where they are fused.
  std::size_t add_convolution(std::size_t i, const Convolution& c) {
    const Shape &in = i == 0 ? written_input_ : input_of(i), &out = shapes_[i];
    // Multiplications by the zeros that widen a filter to patches are not counted.
    const double weights = 1.0 * c.filters * (input_of(i).channels / c.groups) * c.kernel * c.kernel;
    const double multiplications = weights * out.height * out.width;
    forward(c.name, "convolution, bias, ReLU", numbers(in) + numbers(out), weights, multiplications);
    std::size_t last = layer_at<Relu>(i + 1) ? i + 1 : i;
    std::vector<Pass> passes;
    if (const std::optional<std::size_t> fused = fused_until(last + 1)) {
      const std::string pool = name_of_pool();
      // Forward leaves half a byte for each pooled number, which says where the maximum is; backward reads
      // the input of a normalisation only.
      const bool normalises = layer_at<LocalResponseNormalisation>(last + 1) != nullptr;
      const double pooled = numbers(shapes_[*fused]), both = pooled + pooled / 2 / element_;
      forward(pool, normalises ? "normalisation and pool, fused" : "pool", numbers(out) + both);
      backward(passes, pool,
               normalises ? "pool, normalisation, ReLU and bias gradient, fused"
                          : "pool, ReLU and bias gradient, fused",
               (normalises ? 2 : 1) * numbers(out) + both);
      last = *fused;
    } else {
      relu_is_owed_ = keeps_positive(last + 1);
      backward(passes, c.name, relu_is_owed_ ? "bias gradient" : "ReLU and bias gradient",
               (relu_is_owed_ ? 1 : 3) * numbers(out));
    }
    // The gradient leaves cuDNN in the activations' format; the flat buffer is float32.
    const double gradient = narrow_ ? weights * (2 + 2 + float_bytes) : weights * float_bytes;
    backward(passes, c.name, "weight gradient", numbers(in) + numbers(out), gradient, multiplications);
    if (i > 0) {
      backward(passes, c.name, "input gradient", numbers(in) + numbers(out), weights * element_,
               multiplications);
    }
    backward_.push_back(std::move(passes));
    return last;
  }

  // Layers whose output is positive exactly where their input was: the gradient of a ReLU before them is
  // taken behind them, where the map is smaller.
  bool keeps_positive(std::size_t i) const {
    return layer_at<LocalResponseNormalisation>(i) || layer_at<MaxPool>(i);
  }

  void add_relu_gradient(std::size_t i) {
    std::vector<Pass> passes;
    backward(passes, "relu" + last_.substr(4), "ReLU", 3 * numbers(shapes_[i]));
    backward_.push_back(std::move(passes));
    relu_is_owed_ = false;
  }

  // The last of the layers from `i` on that one fused pass serves, none when it does not.
  std::optional<std::size_t> fused_until(std::size_t i) const {
    if (!channels_last_ || !options_.fused_pool) return std::nullopt;
    if (layer_at<LocalResponseNormalisation>(i) && layer_at<MaxPool>(i + 1)) return i + 1;
    if (layer_at<MaxPool>(i)) return i;
    return std::nullopt;
  }

  std::string name_of_pool() const { return "pool" + last_.substr(4); }

  void add_normalisation(std::size_t i) {
    const double size = numbers(shapes_[i]);
    const std::string name = "norm" + last_.substr(4);
    forward(name, "normalisation", 2 * size);
    std::vector<Pass> passes;
    // cuDNN's reads the result too; ours computes it again.
    backward(passes, name, "normalisation", (channels_last_ ? 3 : 4) * size);
    backward_.push_back(std::move(passes));
  }

  void add_pool(std::size_t i) {
    const double in = numbers(input_of(i)), out = numbers(shapes_[i]);
    forward(name_of_pool(), "pool", in + out);
    std::vector<Pass> passes;
    backward(passes, name_of_pool(), "pool", 2 * in + 2 * out);
    backward_.push_back(std::move(passes));
  }

  void add_adaptive_pool(std::size_t i) {
    if (input_of(i) == shapes_[i]) return;  // the identity
    const double both = numbers(input_of(i)) + numbers(shapes_[i]);
    forward("adaptive", "average", both);
    std::vector<Pass> passes;
    backward(passes, "adaptive", "average", both);
    backward_.push_back(std::move(passes));
  }

  std::size_t add_fully_connected(std::size_t i, const FullyConnected& f) {
    const double in = numbers(input_of(i)), out = f.outputs, weights = in * out;
    const bool relu = layer_at<Relu>(i + 1) != nullptr;
    forward(f.name, relu ? "product, bias, ReLU" : "product, bias", in + out, weights, weights);
    std::vector<Pass> passes;
    backward(passes, f.name, relu ? "ReLU and bias gradient" : "bias gradient", (relu ? 3 : 1) * out);
    backward(passes, f.name, "weight gradient", in + out, weights * float_bytes, weights);
    backward(passes, f.name, "input gradient", in + out, weights * element_, weights);
    backward_.push_back(std::move(passes));
    return relu ? i + 1 : i;
  }

  void add_dropout(std::size_t i) {
    const double both = 2 * numbers(shapes_[i]);
    forward("dropout", "dropout", both);
    // Behind a fully connected layer's ReLU its gradient is a part of that ReLU's.
    if (i >= 2 && layer_at<Relu>(i - 1) && layer_at<FullyConnected>(i - 2)) return;
    std::vector<Pass> passes;
    backward(passes, "dropout", "dropout", both);
    backward_.push_back(std::move(passes));
  }

  void add_loss() {
    const double classes = class_count(spec_);
    forward_.push_back({"loss", Phase::forward, "softmax, loss, ranks, gradient",
                        classes * (2 * float_bytes + element_), 0, 0});
  }

  void add_update(std::vector<Pass>& passes) const {
    const double count = static_cast<double>(ParameterTable(spec_).size());
    const double slots = slot_count(options_.optimizer);
    // In fp16 before the update, which depends on it; otherwise in the update's own pass.
    if (options_.precision == Precision::fp16) {
      passes.push_back(
          {"all", Phase::update, "norm and finiteness of the gradient", 0, count * float_bytes, 0});
    }
    // Reads weight, gradient and slots, writes weight, slots and the 16-bit copy.
    const double bytes = float_bytes * (3 + 2 * slots) + (narrow_ ? 2 : 0);
    passes.push_back({"all", Phase::update, "optimiser", 0, count * bytes, 0});
  }

  const NetSpec& spec_;
  PassOptions options_;
  bool narrow_, channels_last_;
  double element_;
  std::vector<Shape> shapes_;
  Shape written_input_;
  std::string last_ = "conv0";  // convolution or fully connected layer so far
  bool relu_is_owed_ = false;   // its gradient is taken behind the pool
  std::vector<Pass> forward_;
  std::vector<std::vector<Pass>> backward_;
};

}  // namespace

std::vector<Pass> training_passes(const NetSpec& spec, const PassOptions& options) {
  return PassList(spec, options).make();
}

Hardware h100(Precision precision) {
  switch (precision) {
    case Precision::fp32:
      return {3.35e12, 67e12};
    case Precision::tf32:
      return {3.35e12, 495e12};
    case Precision::bf16:
    case Precision::fp16:
      return {3.35e12, 989e12};
  }
  fail(ExitCode::bug, "unknown precision");
}

double floor_seconds(const Pass& pass, int batch, const Hardware& hardware) {
  const double memory = pass.bytes(batch) / hardware.bytes_per_second;
  if (pass.flops_per_image == 0) return memory;
  return std::max(memory, pass.flops(batch) / hardware.flops_per_second);
}

Floor step_floor(const std::vector<Pass>& passes, int batch, const Hardware& hardware) {
  Floor floor;
  for (const Pass& pass : passes) {
    const double seconds = floor_seconds(pass, batch, hardware);
    floor.seconds += seconds;
    floor.bytes += pass.bytes(batch);
    floor.flops += pass.flops(batch);
    if (pass.bytes(batch) / hardware.bytes_per_second >= seconds) floor.memory_bound += seconds;
  }
  return floor;
}

std::string_view precision_name(Precision precision) {
  switch (precision) {
    case Precision::fp32:
      return "fp32";
    case Precision::tf32:
      return "tf32";
    case Precision::bf16:
      return "bf16";
    case Precision::fp16:
      return "fp16";
  }
  fail(ExitCode::bug, "unknown precision");
}

Precision parsed_precision(std::string_view name) {
  for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16, Precision::fp16})
    if (name == precision_name(precision)) return precision;
  fail(ExitCode::usage, "--precision {}: fp32, tf32, bf16 or fp16", name);
}

}  // namespace convoy::gpu_benchmark
