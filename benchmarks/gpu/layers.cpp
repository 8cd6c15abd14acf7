// Each layer of a network by itself, forward and backward, as the engine computes it, beside its floor:
// Markdown.
//   benchmark_gpu_layers [--model alexnet] [--precision bf16] [--batch N] [--json FILE] [--small]
// Normalisation and pooling are measured as passes of their own here; benchmark_gpu_kernels has the fused
// ones.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "device.hpp"
#include "device/cuda/check.hpp"
#include "engine/cuda/cuda_state.hpp"
#include "engine/cuda/operation.hpp"
#include "model/initialise.hpp"
#include "model/networks.hpp"
#include "timing.hpp"

namespace {

using namespace convoy;
using namespace convoy::benchmark;
using namespace convoy::gpu_benchmark;

struct Settings {
  std::string model = "alexnet", precision = "bf16", json;
  int batch = 128;
  bool deterministic = false, small = false;
};

// One operation with memory of its own.
class LayerRun {
 public:
  LayerRun(const cuda::ProgramResources& resources, const ProgramOptions& options,
           const PlannedOperation& planned, const Shape& input_shape, bool input_gradient)
      : builder_(resources, options, true) {
    cuda::Tensor* input = builder_.tensor(builder_.map(input_shape));
    operation_ = std::visit([&](const auto& kind) { return make_operation(builder_, kind, planned, input); },
                            planned.kind);
    builder_.tick();
    cuda::Tensor* gradient = builder_.tensor(builder_.map(planned.output));
    operation_->prepare_backward(builder_, gradient, input_gradient);
    builder_.choose_algorithms();
    memory_ = builder_.place();
    fill(*input);
    fill(*gradient);
    pass_.stream = resources.compute;
  }

  void forward() { operation_->forward(pass_); }
  void backward() { operation_->backward(pass_); }

 private:
  static void fill(const cuda::Tensor& tensor) {
    const cuda::DeviceMemory numbers =
        random_memory(static_cast<std::size_t>(tensor.shape.elements()), tensor.shape.element);
    cuda::check(cudaMemcpy(tensor.data, numbers.data(), numbers.size(), cudaMemcpyDeviceToDevice),
                "cudaMemcpy");
  }

  cuda::Builder builder_;
  cuda::OperationPointer operation_;
  cuda::DeviceMemory memory_;
  cuda::Pass pass_{.stream = nullptr, .place = {}, .add = false, .gradients_enqueued = [] {}};
};

class LayerCases {
 public:
  LayerCases(const Settings& settings, cuda::CudaState& state, const Hardware& hardware)
      : hardware_(hardware),
        spec_(state.spec),
        batch_(settings.batch),
        options_{.batch = batch_, .precision = parsed_precision(settings.precision)},
        resources_(state.resources(options_.precision)),
        passes_(training_passes(spec_, {.precision = options_.precision, .fused_pool = false})) {
    PlanOptions wanted;
    wanted.own_relu_gradient = true;  // as in the engine, where no pool or normalisation follows
    wanted.patches_input = options_.precision != Precision::fp32;
    const LayerPlan plan = plan_layers(spec_, state.table, wanted);
    first_input_ = plan.input;
    for (const PlannedOperation& planned : plan.operations)
      add_operation(planned, &planned != &plan.operations.front());
  }

  const std::vector<Case>& cases() const { return cases_; }

 private:
  void add_operation(const PlannedOperation& planned, bool input_gradient) {
    if (const auto* convolution = std::get_if<Convolution>(&planned.kind)) {
      number_ = convolution->name.substr(4);
      if (convolution->padding.before != convolution->padding.after && planned.input_patch == 1)
        fail(ExitCode::usage, "this benchmark does not know the asymmetric padding of {}", convolution->name);
      add(convolution->name, planned, input_gradient);
    } else if (const auto* connected = std::get_if<FullyConnected>(&planned.kind)) {
      add(connected->name, planned, input_gradient);
    } else if (std::holds_alternative<LocalResponseNormalisation>(planned.kind)) {
      add("norm" + number_, planned, input_gradient);
    } else if (std::holds_alternative<MaxPool>(planned.kind)) {
      add("pool" + number_, planned, input_gradient);
    }
  }

  void add(const std::string& name, const PlannedOperation& planned, bool input_gradient) {
    runs_.push_back(std::make_unique<LayerRun>(
        resources_, options_, planned, input_gradient ? planned.input : first_input_, input_gradient));
    LayerRun* run = runs_.back().get();
    add_case(name, Phase::forward, [run](cudaStream_t) { run->forward(); });
    add_case(name, Phase::backward, [run](cudaStream_t) { run->backward(); });
  }

  void add_case(const std::string& name, Phase phase, Enqueue enqueue) {
    Case result{name + (phase == Phase::forward ? " forward" : " backward"), 0, 0, std::move(enqueue), 0};
    for (const gpu_benchmark::Pass& pass : passes_) {
      if (pass.layer != name || pass.phase != phase) continue;
      result.bytes += pass.bytes(batch_);
      result.flops += pass.flops(batch_);
      result.floor += floor_seconds(pass, batch_, hardware_);
    }
    cases_.push_back(std::move(result));
  }

  Hardware hardware_;
  const NetSpec& spec_;
  int batch_;
  ProgramOptions options_;
  cuda::ProgramResources resources_;
  std::vector<gpu_benchmark::Pass> passes_;
  Shape first_input_;  // as the engine writes it
  std::string number_;
  std::vector<std::unique_ptr<LayerRun>> runs_;
  std::vector<Case> cases_;
};

void run(const Settings& settings) {
  const Precision precision = parsed_precision(settings.precision);
  const Hardware hardware = fair_hardware(device_facts(), precision, settings.small);
  const NetSpec spec = make_network(settings.model);
  const InputSpec input{.stored_side = std::max(spec.stored_side, spec.input.height),
                        .crop_side = spec.input.height,
                        .mean = {124, 117, 104}};
  ReplicaOptions options;
  options.device = DeviceKind::cuda;
  options.deterministic = settings.deterministic;
  cuda::CudaState state(spec, input, options, OptimizerRule::sgd);
  std::vector<float> weights(state.table.size());
  initialise_parameters(state.table, spec.initialiser, 1, weights);
  state.use_layout(cuda::layout_of(precision));
  state.write(state.parameters, weights);
  state.need_copy(cuda::element_of(precision));
  const LayerCases layers(settings, state, hardware);
  Timer timer(settings.small, state.compute.get());
  fmt::print(
      "{}, {}, batch {}, algorithms {}; floor: bytes at the {:.0f} GB/s of a copy or FLOPs at "
      "{:.0f} TFLOP/s. A layer's floor is the sum of its passes' own.\n\n",
      settings.model, settings.precision, settings.batch,
      settings.deterministic ? "deterministic" : "by measurement", hardware.bytes_per_second / 1e9,
      hardware.flops_per_second / 1e12);
  print_cases(layers.cases(), timer.median_seconds(layers.cases()), hardware, Records(settings.json),
              fmt::format("layer/{}/{}/{}/", settings.model, settings.precision, settings.batch));
  fmt::print("\nAlgorithms:\n\n");
  for (const Decision& decision : state.tuner->decisions()) fmt::print("* {}\n", decision_text(decision));
}

}  // namespace

int main(int argc, char** argv) {
  return report_errors([&] {
    Settings settings;
    namespace po = boost::program_options;
    po::options_description options("benchmark_gpu_layers: each layer beside its floor");
    options.add_options()("model", po::value(&settings.model)->default_value(settings.model), "network")  //
        ("precision", po::value(&settings.precision)->default_value(settings.precision),
         "fp32, tf32, bf16 or fp16")                                                       //
        ("batch", po::value(&settings.batch)->default_value(settings.batch), "images")     //
        ("deterministic", po::bool_switch(&settings.deterministic), "algorithms by rule")  //
        ("small", po::bool_switch(&settings.small), "few rounds, to see that it works");
    add_json_option(options, settings.json);
    if (read_arguments(options, argc, argv)) run(settings);
  });
}
