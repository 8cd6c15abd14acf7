#include "engine/cpu/chain_trial.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>

#include "engine/cpu/input_stage.hpp"
#include "engine/cpu/operation.hpp"

namespace convoy::cpu {

namespace {

// Parts of a result count by how far two right ones may differ. Where two maxima of a pool, or a value and
// the zero of a ReLU, lie within a rounding of each other, candidates may decide differently, and a gradient
// then moves to the next pixel: one such place in ten million changes a sum over a filter's windows by less
// than a hundredth. Outputs only differ by the rounding of sums.
constexpr double output_weight = 1, gradient_weight = 0x1p-7;
constexpr double rounding_of_sums = 0x1p-12;

// Numbers of either sign up to 1; the seed tells operands of one product apart.
void fill(std::span<float> values, std::uint32_t seed) {
  std::uint32_t state = seed * 2654435761U;  // far apart for neighbouring seeds
  for (float& value : values) {
    state = state * 1664525 + 1013904223;  // Numerical Recipes' generator; its high bits are the good ones
    value = static_cast<float>(static_cast<std::int32_t>(state)) * 0x1p-31F;
  }
}

NetSpec network_of(const PlannedOperation& first) {
  NetSpec spec;
  spec.input = first.input;
  spec.layers = {std::get<Convolution>(first.kind)};
  return spec;
}

// Plain float32 values of a tensor.
AlignedBuffer read(Library& library, memory source) {
  const memory::desc plain = plain_desc(dims_of(source.get_desc()), memory::data_type::f32);
  AlignedBuffer values(plain.get_size());
  memory target(plain, library.engine, values.data());
  dnnl::reorder(source, target).execute(library.stream, source, target);
  return values;
}

void write(Library& library, memory target, std::uint32_t seed) {
  const memory::desc plain = plain_desc(dims_of(target.get_desc()), memory::data_type::f32);
  AlignedBuffer values(plain.get_size());
  fill(values.as<float>(), seed);
  memory source(plain, library.engine, values.data());
  dnnl::reorder(source, target).execute(library.stream, source, target);
}

// Some values at even distances; an odd stride that is no multiple of 3 meets every place of rows and
// channels, whose lengths are mostly products of twos and threes.
std::vector<float> sample(std::span<const float> values) {
  constexpr std::size_t most = std::size_t{1} << 17;
  std::size_t stride = values.size() / most + 1;
  while (stride > 1 && (stride % 2 == 0 || stride % 3 == 0)) ++stride;
  std::vector<float> result;
  for (std::size_t i = 0; i < values.size(); i += stride) result.push_back(values[i]);
  return result;
}

// For each plane the sum of its values, weighted by their places: a value that moves to the next pixel hardly
// changes it, a plane that is elsewhere or turned does.
std::vector<float> plane_sums(std::span<const float> values, const memory::dims& dims) {
  const auto height = static_cast<std::size_t>(dims[2]), width = static_cast<std::size_t>(dims[3]);
  std::vector<float> result;
  for (std::size_t plane = 0; plane < values.size(); plane += height * width) {
    double sum = 0;
    for (std::size_t y = 0; y < height; ++y) {
      for (std::size_t x = 0; x < width; ++x) {
        const double weight = 1 + static_cast<double>(x) / static_cast<double>(width) +
                              2 * static_cast<double>(y) / static_cast<double>(height);
        sum += weight * double{values[plane + y * width + x]};
      }
    }
    result.push_back(static_cast<float>(sum));
  }
  return result;
}

// Where the chain's output goes: the layout that its reader likes.
memory::desc layout_behind(Builder& builder, const memory::desc& output) {
  if (builder.behind() != nullptr) {
    if (const auto* convolution = std::get_if<Convolution>(&builder.behind()->kind))
      return liked_input(builder, *convolution, *builder.behind());
  }
  return plain_desc(dims_of(output), data_type_of(output));
}

std::string text(const Padding& padding) {
  return fmt::format("padding {},{}", padding.before, padding.after);
}
std::string text(const Convolution& c) {
  return fmt::format("convolution {} of {} stride {} {} groups {}", c.filters, c.kernel, c.stride,
                     text(c.padding), c.groups);
}
std::string text(const MaxPool& pool) {
  return fmt::format("pool {} stride {} {}", pool.window, pool.stride, text(pool.padding));
}
std::string text(const LocalResponseNormalisation& layer) {
  return fmt::format("normalisation over {}", layer.size);
}
std::string text(const Relu&) {
  return "relu";
}
std::string text(const ReluGradient&) {
  return "gradient of relu";
}
template <typename Kind>
std::string text(const Kind&) {
  return "other";
}

std::string layout_text(const Tensor& tensor) {
  if (tensor.adaptable) return "as it likes";
  std::string result = fmt::format("blocks of {} strides", channel_block_of(tensor.desc));
  for (const memory::dim stride : strides_of(tensor.desc)) result += fmt::format(" {}", stride);
  return result;
}

}  // namespace

// A program of one chain.
class ChainTrial {
 public:
  ChainTrial(Builder& parent, const Tensor& input, const ConvolutionLayouts& layouts)
      : library_(parent.library()),
        chain_(parent.chain()),
        spec_(network_of(chain_.front())),
        table_(spec_),
        parameters_(table_.size() * sizeof(float)),
        gradients_(table_.size() * sizeof(float)),
        training_(parent.training()) {
    fill(parameters_.as<float>(), 1);
    std::ranges::fill(gradients_.as<float>(), std::nanf(""));
    Builder builder(library_,
                    {.parameters = parameters_.as<float>().data(),
                     .gradients = gradients_.as<float>().data(),
                     .table = &table_,
                     .copies = &copies_},
                    parent.options(), true, parent.tuner());
    builder.force(&layouts);
    checked("the layouts of a chain", [&] { build(builder, parent, input); });
    arena_ = builder.place();
    // Bits that are all ones are a NaN.
    std::ranges::fill(arena_.as<std::uint32_t>(), ~std::uint32_t{0});
    tensors_ = builder.take_tensors();
    if (!stage_) write(library_, input_->values, 2);
    if (training_) write(library_, output_gradient_->values, 3);
    pass_ = {.library = &library_,
             .context = {},
             .first_position = 0,
             .rows = static_cast<int>(parent.batch()),
             .parameter_version = 1,
             .gradients_computed = [] {}};
  }

  void run() {
    ++pass_.parameter_version;  // as after an update: copies of the filter are part of a step
    if (stage_) stage_->run(batch_);
    for (const OperationPointer& operation : operations_) operation->forward(pass_);
    output_.run(library_);
    if (!training_) return;
    for (auto operation = operations_.rbegin(); operation != operations_.rend(); ++operation)
      (*operation)->backward(pass_);
  }

  // Output, gradient of the parameters, sums of the input's gradient; the last two may be empty.
  std::array<std::vector<float>, 3> result() {
    std::array<std::vector<float>, 3> parts;
    parts[0] = sample(read(library_, output_.result->values).as<float>());
    if (!training_) return parts;
    for (const Parameter& parameter : table_.parameters()) {
      const auto values = gradients_.as<float>().subspan(parameter.offset, parameter.elements);
      parts[1].insert(parts[1].end(), values.begin(), values.end());
    }
    if (input_gradient_ != nullptr)
      parts[2] =
          plane_sums(read(library_, input_gradient_->values).as<float>(), dims_of(input_gradient_->desc));
    return parts;
  }

 private:
  void build(Builder& builder, Builder& parent, const Tensor& input) {
    if (input.adaptable) {
      make_images(static_cast<int>(parent.batch()));
      stage_.emplace(builder, image_spec_, chain_.front().input, input.patchable);
      input_ = stage_->output();
    } else {
      input_ = builder.tensor(input.desc);
    }
    Tensor* current = input_;
    for (std::size_t i = 0; i < chain_.size(); ++i) {
      builder.enter(chain_.subspan(i), nullptr);
      operations_.push_back(
          std::visit([&](const auto& kind) { return make_operation(builder, kind, chain_[i], current); },
                     chain_[i].kind));
      current = operations_.back()->output();
    }
    const memory::desc behind = layout_behind(parent, current->desc);
    output_ = builder.convert(current, behind);
    if (!training_) return;
    Tensor* gradient = output_gradient_ = builder.tensor(behind);
    for (std::size_t i = chain_.size(); i-- > 0;)
      gradient = operations_[i]->prepare_backward(builder, gradient, i > 0 || !stage_);
    input_gradient_ = gradient;
  }

  // The network's own input stage writes images: how is part of the layouts.
  void make_images(int rows) {
    const int side = chain_.front().input.height;
    image_spec_ = {.stored_side = side,
                   .crop_side = side,
                   .mean = {128, 128, 128},
                   .scale = {1.0F / 64, 1.0F / 64, 1.0F / 64}};
    images_.resize(static_cast<std::size_t>(rows) * 3 * static_cast<std::size_t>(side) *
                   static_cast<std::size_t>(side));
    std::uint32_t state = 1;
    for (std::uint8_t& value : images_) {
      state = state * 1664525 + 1013904223;
      value = static_cast<std::uint8_t>(state >> 24);
    }
    transforms_.resize(static_cast<std::size_t>(rows));
    batch_ = {.rows = rows, .images = images_, .labels = {}, .transforms = transforms_};
  }

  Library& library_;
  std::span<const PlannedOperation> chain_;
  NetSpec spec_;
  ParameterTable table_;
  AlignedBuffer parameters_, gradients_, arena_;
  WeightCopies copies_;
  bool training_;
  InputSpec image_spec_;
  std::vector<std::uint8_t> images_;
  std::vector<SampleTransform> transforms_;
  BatchView batch_;
  std::optional<InputStage> stage_;
  std::deque<Tensor> tensors_;
  std::vector<OperationPointer> operations_;
  Tensor *input_ = nullptr, *output_gradient_ = nullptr, *input_gradient_ = nullptr;
  Conversion output_;
  Pass pass_;
};

ChainBench::ChainBench(Builder& builder, const Tensor& input) : builder_(builder), input_(input) {}
ChainBench::~ChainBench() = default;

void ChainBench::prepare() {
  trial_.reset();
}

bool ChainBench::run(const ConvolutionLayouts& layouts) {
  if (trial_ == nullptr) {
    try {
      trial_ = std::make_unique<ChainTrial>(builder_, input_, layouts);
    } catch (const Error& error) {
      if (error.category() != ExitCode::device) throw;
      return false;
    }
  }
  trial_->run();
  return true;
}

std::optional<double> ChainBench::milliseconds(const std::function<bool()>& run, double best) {
  constexpr double hopeless = 2;  // × best: a second run does not change that
  std::array<double, 3> times{};
  for (std::size_t i = 0; i < times.size(); ++i) {
    const Stopwatch watch;
    if (!run()) return std::nullopt;
    times[i] = watch.seconds() * 1e3;
    if (i == 0 && times[0] > hopeless * best) return times[0];
  }
  std::ranges::sort(times);
  return times[1];
}

std::vector<float> ChainBench::result() {
  const std::array<std::vector<float>, 3> parts = trial_->result();
  const bool first = scales_.empty();
  std::vector<float> result;
  for (std::size_t part = 0; part < parts.size(); ++part) {
    if (first) {
      float largest = 0;
      for (const float value : parts[part]) largest = std::max(largest, std::fabs(value));
      const double weight = part == 0 ? output_weight : gradient_weight;
      scales_.push_back(largest > 0 ? static_cast<float>(weight / double{largest}) : 1);
    }
    for (const float value : parts[part]) result.push_back(value * scales_[part]);
  }
  return result;
}

std::string chain_key(Builder& builder, const Tensor& input) {
  const PlannedOperation& first = builder.chain().front();
  std::string key =
      fmt::format("cpu chain {} {} {}x{}x{}x{} {}", builder.training() ? "training" : "evaluation",
                  word_of(precision_words(), builder.options().precision), builder.batch(),
                  first.input.channels, first.input.height, first.input.width, layout_text(input));
  for (const PlannedOperation& planned : builder.chain()) {
    key += "; " + std::visit([](const auto& kind) { return text(kind); }, planned.kind);
    if (planned.relu) key += " relu";
  }
  const bool convolution =
      builder.behind() != nullptr && std::holds_alternative<Convolution>(builder.behind()->kind);
  key += convolution ? "; " + text(std::get<Convolution>(builder.behind()->kind)) : "; rows";
  return key;
}

double chain_tolerance() {
  return rounding_of_sums;
}

}  // namespace convoy::cpu
