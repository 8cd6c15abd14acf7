#include "engine/cpu/cpu_machine.hpp"

#include <fmt/format.h>

#include <dnnl.hpp>
#include <fstream>

#include "device/cpu/cpu_facts.hpp"
#include "engine/cpu/onednn_version.hpp"

namespace convoy::cpu {
namespace {

// As Linux names it; empty where it does not.
std::string processor_name() {
  std::ifstream facts("/proc/cpuinfo");
  for (std::string line; std::getline(facts, line);) {
    if (!line.starts_with("model name")) continue;
    const std::size_t begin = line.find_first_not_of(" \t", line.find(':') + 1);
    return begin == std::string::npos ? std::string() : line.substr(begin);
  }
  return {};
}

}  // namespace

std::string cpu_machine_text(int threads) {
  return fmt::format("{}; {}; oneDNN {}, instruction set {:#x}; {} threads", processor_name(),
                     vector_instruction_names(), onednn_version(),
                     static_cast<int>(dnnl::get_effective_cpu_isa()), threads);
}

}  // namespace convoy::cpu
