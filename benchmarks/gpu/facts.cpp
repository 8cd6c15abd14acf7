// What the GPU is, and what copies and a matrix product reach on it beside its data sheet: Markdown.
//   benchmark_gpu_facts [--json FILE] [--small]
#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>

#include "arguments.hpp"
#include "device.hpp"
#include "records.hpp"

namespace {

using namespace convoy;
using namespace convoy::benchmark;
using namespace convoy::gpu_benchmark;

void print(const Records& records, bool small) {
  const DeviceFacts facts = device_facts();
  if (facts.emulated) fmt::print("**The device is emulated: no time on this page means anything.**\n\n");
  if (small)
    fmt::print("**Tiny sizes and few rounds (`--small`): no time on this page means anything.**\n\n");
  fmt::print("{}: compute capability {}.{}, {} multiprocessors, {:.1f} GB, second-level cache {:.0f} MB\n\n",
             facts.name, facts.major, facts.minor, facts.processors,
             static_cast<double>(facts.memory_bytes) / 1e9, static_cast<double>(facts.level2_bytes) / 1e6);
  records.add({{"kind", "device"},
               {"name", facts.name},
               {"compute_capability", fmt::format("{}.{}", facts.major, facts.minor)},
               {"multiprocessors", facts.processors},
               {"memory_bytes", facts.memory_bytes},
               {"emulated", facts.emulated},
               {"small", small}});
  fmt::print("| | measured | data sheet |\n|---|---|---|\n");
  const auto row = [&](const std::string& what, const std::string& id, double measured, std::string_view unit,
                       std::optional<double> sheet) {
    fmt::print("| {}, {} | {:.2f} | {} |\n", what, unit, measured,
               sheet ? fmt::format("{:.0f}", *sheet) : std::string("unknown"));
    Json more = Json::object();
    if (sheet) more["data_sheet"] = *sheet;
    records.entry("facts/" + id, measured, unit, "higher", more);
  };
  const auto sheet = [&](Precision precision, bool bandwidth) -> std::optional<double> {
    const auto found = data_sheet(facts, precision);
    if (!found) return std::nullopt;
    return bandwidth ? found->bytes_per_second / 1e9 : found->flops_per_second / 1e12;
  };
  row("copy on the device (read + written)", "copy", copy_bandwidth(small) / 1e9, "GB/s",
      sheet(Precision::fp32, true));
  row("copy from page-locked host memory", "host-to-device", host_to_device_bandwidth(small) / 1e9, "GB/s",
      std::nullopt);
  for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16, Precision::fp16}) {
    row(fmt::format("matrix product, {}", precision_name(precision)),
        fmt::format("product/{}", precision_name(precision)), matrix_product_rate(precision, small) / 1e12,
        "TFLOP/s", sheet(precision, false));
  }
}

}  // namespace

int main(int argc, char** argv) {
  return report_errors([&] {
    bool small = false;
    boost::program_options::options_description options("benchmark_gpu_facts: what the GPU reaches");
    options.add_options()("small", boost::program_options::bool_switch(&small),
                          "tiny sizes, to see that it works");
    std::string json;
    add_json_option(options, json);
    if (read_arguments(options, argc, argv)) print(Records(json), small);
  });
}
