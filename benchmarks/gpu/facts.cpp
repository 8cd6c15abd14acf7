// What the GPU is, and what a copy and a matrix product reach on it beside its data sheet: Markdown.
//   benchmark_gpu_facts [--small]
#include <fmt/format.h>

#include "arguments.hpp"
#include "device.hpp"

namespace {

using namespace convoy;
using namespace convoy::gpu_benchmark;

void print(bool small) {
  const DeviceFacts facts = device_facts();
  if (facts.emulated) fmt::print("**The device is emulated: no time on this page means anything.**\n\n");
  if (small)
    fmt::print("**Tiny sizes and few rounds (`--small`): no time on this page means anything.**\n\n");
  fmt::print("{}: compute capability {}.{}, {} multiprocessors, {:.1f} GB, second-level cache {:.0f} MB\n\n",
             facts.name, facts.major, facts.minor, facts.processors,
             static_cast<double>(facts.memory_bytes) / 1e9, static_cast<double>(facts.level2_bytes) / 1e6);
  fmt::print("| | measured | data sheet |\n|---|---|---|\n");
  const auto sheet_text = [&](Precision precision, bool bandwidth) {
    const auto sheet = data_sheet(facts, precision);
    if (!sheet) return std::string("unknown");
    return fmt::format("{:.0f}", bandwidth ? sheet->bytes_per_second / 1e9 : sheet->flops_per_second / 1e12);
  };
  fmt::print("| copy on the device, GB/s (read + written) | {:.0f} | {} |\n", copy_bandwidth(small) / 1e9,
             sheet_text(Precision::fp32, true));
  for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16, Precision::fp16}) {
    fmt::print("| matrix product, {}, TFLOP/s | {:.2f} | {} |\n", precision_name(precision),
               matrix_product_rate(precision, small) / 1e12, sheet_text(precision, false));
  }
}

}  // namespace

int main(int argc, char** argv) {
  return report_errors([&] {
    bool small = false;
    boost::program_options::options_description options("benchmark_gpu_facts: what the GPU reaches");
    options.add_options()("small", boost::program_options::bool_switch(&small),
                          "tiny sizes, to see that it works");
    if (read_arguments(options, argc, argv)) print(small);
  });
}
