// Tables of what a training step must cost at the least on an H100 (or on the hardware that is named), as
// Markdown; needs no GPU. The tables of src/engine/cuda/README.md are its output.
//
//   benchmark_gpu_floors                           the step: networks × precisions × batches
//   benchmark_gpu_floors --passes alexnet bf16     each pass of one network
//   … --unfused                                    pooling and normalisation as passes of their own
#include <fmt/format.h>

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "model/networks.hpp"
#include "passes.hpp"

namespace convoy::gpu_benchmark {
namespace {

constexpr int batches[] = {128, 1024};

struct Settings {
  bool fused = true;
  std::string network;  // empty: all, one row each
  Precision precision = Precision::bf16;
};

Settings parse(std::span<char*> arguments) {
  Settings settings;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--unfused") {
      settings.fused = false;
    } else if (argument == "--passes" && i + 2 < arguments.size()) {
      settings.network = arguments[i + 1];
      settings.precision = parsed_precision(arguments[i + 2]);
      i += 2;
    } else {
      fail(ExitCode::usage, "usage: {} [--unfused] [--passes NETWORK PRECISION]", arguments[0]);
    }
  }
  return settings;
}

void print_steps(bool fused) {
  fmt::print("| network | precision | MB an image | MB a step beside | GFLOP an image |");
  for (const int batch : batches) fmt::print(" {}: bytes ms | FLOPs ms | floor ms | images/s |", batch);
  fmt::print("\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (const std::string& network : network_names()) {
    const NetSpec spec = make_network(network);
    for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16}) {
      const std::vector<Pass> passes = training_passes(spec, {.precision = precision, .fused_pool = fused});
      const Hardware hardware = h100(precision);
      const Floor none = step_floor(passes, 0, hardware), one = step_floor(passes, 1, hardware);
      fmt::print("| `{}` | {} | {:.1f} | {:.0f} | {:.2f} |", network, precision_name(precision),
                 (one.bytes - none.bytes) / 1e6, none.bytes / 1e6, one.flops / 1e9);
      for (const int batch : batches) {
        const Floor floor = step_floor(passes, batch, hardware);
        fmt::print(" {:.2f} | {:.2f} | {:.2f} | {:.0f} |", floor.bytes / hardware.bytes_per_second * 1e3,
                   floor.flops / hardware.flops_per_second * 1e3, floor.seconds * 1e3, batch / floor.seconds);
      }
      fmt::print("\n");
    }
  }
}

void print_passes(const Settings& settings) {
  const Hardware hardware = h100(settings.precision);
  fmt::print("| layer | pass | KB an image | MB a step beside | MFLOP an image |");
  for (const int batch : batches) fmt::print(" {}: floor µs |", batch);
  fmt::print("\n|---|---|---|---|---|---|---|\n");
  for (const Pass& pass : training_passes(make_network(settings.network),
                                          {.precision = settings.precision, .fused_pool = settings.fused})) {
    fmt::print("| {} | {}{} | {:.1f} | {:.2f} | {:.1f} |", pass.layer, pass.what,
               pass.phase == Phase::backward ? ", backward" : "", pass.bytes_per_image / 1e3,
               pass.bytes_per_step / 1e6, pass.flops_per_image / 1e6);
    for (const int batch : batches) fmt::print(" {:.1f} |", floor_seconds(pass, batch, hardware) * 1e6);
    fmt::print("\n");
  }
}

}  // namespace
}  // namespace convoy::gpu_benchmark

int main(int argc, char** argv) {
  using namespace convoy::gpu_benchmark;
  try {
    const Settings settings = parse({argv, static_cast<std::size_t>(argc)});
    settings.network.empty() ? print_steps(settings.fused) : print_passes(settings);
    return 0;
  } catch (const convoy::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.category());
  }
}
