// Each of the engine's own kernels at the shapes of `alexnet` beside the time that its bytes need: Markdown.
//   benchmark_gpu_kernels [--batch N] [--json FILE] [--small]
#include "engine/cuda/kernels.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "device.hpp"
#include "device/cuda/check.hpp"
#include "device/cuda/memory.hpp"
#include "engine/cuda/fused_pool.hpp"
#include "timing.hpp"

namespace {

using namespace convoy;
using namespace convoy::benchmark;
using namespace convoy::gpu_benchmark;
using cuda::bytes_of;
using cuda::DeviceMemory;
using cuda::Element;
using cuda::Layout;
using cuda::MapShape;

// A copy of `value` in device memory.
template <typename T>
DeviceMemory on_device(const std::vector<T>& values) {
  DeviceMemory memory(values.size() * sizeof(T), "a benchmark's operands");
  cuda::check(cudaMemcpy(memory.data(), values.data(), memory.size(), cudaMemcpyHostToDevice), "cudaMemcpy");
  return memory;
}

// The cases of one device, with the memory that they work on. `side_divisor` makes maps smaller.
class KernelCases {
 public:
  KernelCases(int batch, bool small)
      : batch_(batch), small_(small), pass_(on_device(pass_parameters(batch))) {
    for (const Element element : {Element::float32, Element::bfloat16}) {
      add_input_stage(element);
      add_relu_bias(element);
      add_dropout(element);
      add_padding(element);
      add_loss(element);
    }
    add_normalisation();
    add_fused_pool("conv1's map", map(96, 55, Element::bfloat16), 27);
    add_fused_pool("conv2's map", map(256, 27, Element::bfloat16), 13);
    add_adaptive_pool();
    add_inspection();
    for (const bool copy : {false, true}) {
      for (const OptimizerRule rule : optimizer_rules) add_update(rule, copy);
    }
    add_conversion();
  }

  const std::vector<Case>& cases() const { return cases_; }

 private:
  static std::vector<cuda::PassParameters> pass_parameters(int batch) {
    cuda::PassParameters pass;
    pass.seed = 1;
    pass.gradient_scale = 1.0F / static_cast<float>(batch);
    pass.rows = batch;
    return {pass};
  }

  int side(int full) const { return small_ ? std::max(full / 4, 5) : full; }
  std::size_t parameters() const { return small_ ? 4096 : std::size_t{60965248}; }

  // As the engine lays it out: channels first in float32, else last.
  MapShape map(int channels, int full_side, Element element) const {
    const int s = side(full_side);
    return {
        batch_, channels, s, s, element == Element::float32 ? Layout::channels_first : Layout::channels_last,
        element};
  }
  static const char* name(Element element) {
    return element == Element::float32 ? "float32" : element == Element::bfloat16 ? "bf16" : "fp16";
  }

  template <typename T = std::byte>
  T* keep(DeviceMemory memory) {
    memory_.push_back(std::move(memory));
    return memory_.back().as<T>();
  }
  std::byte* random(const MapShape& shape) {
    return keep(random_memory(static_cast<std::size_t>(shape.elements()), shape.element));
  }
  const cuda::PassParameters* pass() const { return pass_.as<const cuda::PassParameters>(); }

  void add(std::string what, double bytes, Enqueue run) {
    cases_.push_back({std::move(what), bytes, 0, std::move(run), 0});
  }

  // conv1's input as the engine writes it: in planes for float32, in patches otherwise.
  void add_input_stage(Element element) {
    constexpr int side = 227, stored = 256;
    const bool planes = element == Element::float32;
    const MapShape shape = planes ? map(3, side, element) : map(48, 57, element);
    const cuda::InputFrame frame{.side = side, .before = 0, .patch = planes ? 1 : 4};
    auto* images = keep<std::uint8_t>(zero_memory(std::size_t(batch_) * stored * stored * 3));
    std::vector<SampleTransform> transforms(static_cast<std::size_t>(batch_));
    for (std::size_t row = 0; row < transforms.size(); row += 2) {  // every other one is mirrored
      transforms[row].matrix[0] = -1;
      transforms[row].matrix[2] = static_cast<float>(side - 1);
    }
    const auto* on_gpu = keep<const SampleTransform>(on_device(transforms));
    const cuda::InputConstants constants{.mean = keep<float>(zero_memory(3 * sizeof(float))),
                                         .stored_side = stored};
    std::byte* output = keep(zero_memory(shape.bytes()));
    add(fmt::format("input stage, {}", name(element)),
        static_cast<double>(shape.elements()) * (1.0 + static_cast<double>(bytes_of(element))),
        [=, pass = pass()](cudaStream_t stream) {
          cuda::input_stage(stream, images, on_gpu, constants, pass, output, shape, frame);
        });
  }

  void add_relu_bias(Element element) {
    const MapShape shape = map(384, 13, element);
    std::byte *gradient = random(shape), *activation = random(shape);
    auto* bias = keep<float>(zero_memory(384 * sizeof(float)));
    void* scratch = keep(zero_memory(std::max<std::size_t>(cuda::bias_scratch_bytes(shape), 256)));
    const double bytes = static_cast<double>(shape.bytes());
    add(fmt::format("ReLU and bias gradient, conv3's map, {}", name(element)), 3 * bytes,
        [=](cudaStream_t stream) {
          cuda::relu_backward_bias(stream, gradient, activation, shape, bias, false, scratch);
        });
    add(fmt::format("ReLU, conv3's map, {}", name(element)), 2 * bytes,
        [=](cudaStream_t stream) { cuda::relu(stream, activation, gradient, shape); });
  }

  void add_dropout(Element element) {
    const MapShape shape{batch_, 4096, 1, 1, Layout::channels_first, element};
    std::byte* values = random(shape);
    add(fmt::format("dropout, fc6, {}", name(element)), 2 * static_cast<double>(shape.bytes()),
        [=, pass = pass()](cudaStream_t stream) { cuda::dropout(stream, values, shape, pass, 0, 0.5); });
  }

  void add_padding(Element element) {
    const MapShape shape = map(96, 27, element);
    MapShape larger = shape;
    larger.height += 1, larger.width += 1;
    std::byte *plain = random(shape), *padded = random(larger);
    const double bytes = static_cast<double>(shape.bytes()),
                 padded_bytes = static_cast<double>(larger.bytes());
    add(fmt::format("padding, conv1's pooled map, {}", name(element)), bytes + padded_bytes,
        [=](cudaStream_t stream) { cuda::pad(stream, plain, shape, 0, 1, cuda::Fill::lowest, padded); });
    add(fmt::format("padding, backward, {}", name(element)), 2 * bytes,
        [=](cudaStream_t stream) { cuda::unpad(stream, padded, shape, 0, 1, plain); });
  }

  void add_loss(Element element) {
    constexpr int classes = 1000;
    const std::size_t scores_count = std::size_t(batch_) * classes;
    auto* scores = keep<float>(random_memory(scores_count, Element::float32));
    auto* probabilities = keep<float>(zero_memory(scores_count * sizeof(float)));
    auto* labels = keep<std::int32_t>(zero_memory(std::size_t(batch_) * sizeof(std::int32_t)));
    auto* rows = keep<cuda::DeviceRowLoss>(zero_memory(std::size_t(batch_) * sizeof(cuda::DeviceRowLoss)));
    auto* sums = keep<cuda::MetricSums>(zero_memory(sizeof(cuda::MetricSums)));
    auto* scale = keep<cuda::LossScaleState>(on_device(std::vector<cuda::LossScaleState>{{}}));
    std::byte* gradient = keep(zero_memory(scores_count * bytes_of(element)));
    const double count = static_cast<double>(scores_count);
    const int batch = batch_;
    const std::string loss_and_ranks = "softmax, loss and ranks";
    if (element == Element::float32) {
      add(loss_and_ranks, 8 * count, [=, pass = pass()](cudaStream_t stream) {
        cuda::loss(stream, scores, labels, batch, classes, pass, probabilities, rows, sums, {});
      });
    }
    add(fmt::format("{}, with the gradient, {}", loss_and_ranks, name(element)),
        (8.0 + static_cast<double>(bytes_of(element))) * count, [=, pass = pass()](cudaStream_t stream) {
          cuda::loss(stream, scores, labels, batch, classes, pass, probabilities, rows, sums,
                     {gradient, element, scale});
        });
  }

  void add_normalisation() {
    const MapShape shape = map(96, 55, Element::bfloat16);
    const cuda::NormalisationConstants constants{.size = 5, .k = 2};
    std::byte *input = random(shape), *output_gradient = random(shape), *result = random(shape);
    const double bytes = static_cast<double>(shape.bytes());
    add("normalisation, conv1's map, bf16", 2 * bytes,
        [=](cudaStream_t stream) { cuda::normalisation_forward(stream, input, result, shape, constants); });
    add("normalisation, backward, conv1's map, bf16", 3 * bytes, [=](cudaStream_t stream) {
      cuda::normalisation_backward(stream, input, output_gradient, result, shape, constants);
    });
  }

  void add_fused_pool(const char* where, const MapShape& input_shape, int full_output_side) {
    const int output_side = small_ ? (input_shape.height - 3) / 2 + 1 : full_output_side;
    const cuda::FusedPoolShape shape{.input = input_shape,
                                     .output_height = output_side,
                                     .output_width = output_side,
                                     .normalisation = {.size = 5, .k = 2}};
    if (!cuda::serves_fused_pool(shape)) return;
    MapShape pooled = input_shape;
    pooled.height = pooled.width = output_side;
    std::byte *input = random(input_shape), *output = random(pooled), *gradient = random(input_shape);
    auto* bias = keep<float>(zero_memory(static_cast<std::size_t>(input_shape.channels) * sizeof(float)));
    void* scratch = keep(zero_memory(std::max<std::size_t>(cuda::fused_pool_scratch_bytes(shape), 256)));
    void* codes = keep(zero_memory(cuda::fused_pool_code_bytes(shape)));
    const double in = static_cast<double>(input_shape.bytes()), out = static_cast<double>(pooled.bytes());
    const double code_bytes = static_cast<double>(cuda::fused_pool_code_bytes(shape));
    const std::string what = fmt::format("normalisation and pool, fused, {}, bf16", where);
    add(what, in + out + code_bytes,
        [=](cudaStream_t stream) { cuda::fused_pool_forward(stream, input, output, codes, shape); });
    add(what + ", backward", 2 * in + out + code_bytes, [=](cudaStream_t stream) {
      cuda::fused_pool_backward(stream, input, codes, output, gradient, shape, bias, false, scratch);
    });
  }

  void add_adaptive_pool() {
    const MapShape shape = map(256, 8, Element::bfloat16);
    const int output_side = small_ ? 3 : 6;
    MapShape averaged = shape;
    averaged.height = averaged.width = output_side;
    std::byte *input = random(shape), *output = random(averaged);
    const double bytes = static_cast<double>(shape.bytes() + averaged.bytes());
    add("adaptive pool, 8 × 8 → 6 × 6, bf16", bytes,
        [=](cudaStream_t stream) { cuda::adaptive_pool_forward(stream, input, shape, output, output_side); });
    add("adaptive pool, backward, bf16", bytes, [=](cudaStream_t stream) {
      cuda::adaptive_pool_backward(stream, output, shape, input, output_side);
    });
  }

  void add_inspection() {
    const std::size_t count = parameters();
    const auto* gradients = keep<float>(random_memory(count, Element::float32));
    auto* sums = keep<double>(zero_memory(cuda::inspection_blocks(count) * sizeof(double)));
    add("norm and finiteness of the gradient (fp16)", 4.0 * static_cast<double>(count),
        [=](cudaStream_t stream) { cuda::inspect(stream, gradients, 0, count, sums); });
  }

  void add_update(OptimizerRule rule, bool copy) {
    const std::size_t count = parameters();
    cuda::UpdateArrays arrays{.parameters = keep<float>(random_memory(count, Element::float32)),
                              .gradients = keep<float>(random_memory(count, Element::float32))};
    for (int i = 0; i < slot_count(rule); ++i)
      arrays.slots[i] = keep<float>(zero_memory(count * sizeof(float)));
    if (copy) arrays.copy = keep(zero_memory(count * 2));
    std::vector<cuda::UpdatePiece> pieces;
    constexpr std::size_t piece = 16384;
    for (std::size_t begin = 0; begin < count; begin += piece)
      pieces.push_back({.begin = begin, .end = std::min(begin + piece, count)});
    const auto* on_gpu = keep<const cuda::UpdatePiece>(on_device(pieces));
    const std::vector<UpdateConstants> constants = {
        update_constants({.rule = rule}, {.number = 1, .rates = {}}, {.rate = 1e-4F, .decay = 5e-4F})};
    const auto* constants_on_gpu = keep<const UpdateConstants>(on_device(constants));
    auto* control = keep<cuda::UpdateControl>(on_device(std::vector<cuda::UpdateControl>{{}}));
    const double bytes = 4.0 * (3 + 2 * slot_count(rule)) + (copy ? 2 : 0);
    const int piece_count = static_cast<int>(pieces.size());
    auto* squares = keep<double>(zero_memory(pieces.size() * sizeof(double)));
    add(fmt::format("update with its norm, {}{}", optimizer_word(rule), copy ? " with a bf16 copy" : ""),
        bytes * static_cast<double>(count), [=](cudaStream_t stream) {
          cuda::update(stream, rule, on_gpu, piece_count, constants_on_gpu, control, arrays, squares);
        });
  }

  void add_conversion() {
    const std::size_t count = small_ ? 4096 : std::size_t{37748736};  // fc6's weights
    auto* wide = keep<float>(random_memory(count, Element::float32));
    std::byte* narrow = keep(zero_memory(count * 2));
    const double bytes = 6.0 * static_cast<double>(count);
    add("float32 to bf16", bytes,
        [=](cudaStream_t stream) { cuda::to_narrow(stream, wide, narrow, Element::bfloat16, count); });
    add("bf16 to float32", bytes, [=](cudaStream_t stream) {
      cuda::from_narrow(stream, narrow, Element::bfloat16, wide, false, count);
    });
  }

  int batch_;
  bool small_;
  DeviceMemory pass_;
  std::vector<DeviceMemory> memory_;
  std::vector<Case> cases_;
};

void run(int batch, const Records& records, bool small) {
  const Hardware hardware = fair_hardware(device_facts(), Precision::fp32, small);
  const KernelCases kernels(batch, small);
  Timer timer(small);
  fmt::print("Batch {}; floor: bytes at the {:.0f} GB/s of a copy. Launching is part of the time.\n\n", batch,
             hardware.bytes_per_second / 1e9);
  print_cases(kernels.cases(), timer.median_seconds(kernels.cases()), hardware, records,
              fmt::format("kernel/{}/", batch));
}

}  // namespace

int main(int argc, char** argv) {
  return report_errors([&] {
    bool small = false;
    int batch = 128;
    namespace po = boost::program_options;
    po::options_description options("benchmark_gpu_kernels: the engine's own kernels beside their floors");
    options.add_options()("batch", po::value(&batch)->default_value(batch), "images")  //
        ("small", po::bool_switch(&small), "tiny sizes, to see that it works");
    std::string json;
    add_json_option(options, json);
    if (read_arguments(options, argc, argv)) run(small ? std::min(batch, 2) : batch, Records(json), small);
  });
}
