#include "device/cpu/cpu_facts.hpp"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <string_view>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace convoy {

int usable_cores() {
  // A fixed cpu_set_t ends at 1,024 CPUs; larger machines need a larger mask, so it grows until the kernel
  // accepts it.
  for (int cpus = 1024; cpus <= (1 << 20); cpus *= 4) {
    cpu_set_t* mask = CPU_ALLOC(static_cast<std::size_t>(cpus));
    if (mask == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(cpus));
    const bool known = sched_getaffinity(0, bytes, mask) == 0;
    const int count = known ? CPU_COUNT_S(bytes, mask) : 0;
    CPU_FREE(mask);
    if (known) return std::max(count, 1);
  }
  return std::max(static_cast<int>(std::thread::hardware_concurrency()), 1);
}

namespace {

// The numbers in a file, as far as they are numbers ("max 100000" has none).
std::vector<double> numbers_in(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::vector<double> numbers;
  for (double number = 0; in >> number;) numbers.push_back(number);
  return numbers;
}

// The quota of one control group, of version 2 (one file) or 1 (two files, −1 for none).
std::optional<double> quota_of(const std::filesystem::path& group) {
  std::vector<double> time = numbers_in(group / "cpu.max");
  if (time.empty()) {
    time = numbers_in(group / "cpu.cfs_quota_us");
    const std::vector<double> period = numbers_in(group / "cpu.cfs_period_us");
    time.insert(time.end(), period.begin(), period.end());
  }
  if (time.size() != 2 || time[0] <= 0 || time[1] <= 0) return std::nullopt;
  return time[0] / time[1];
}

// The folder of `controllers` below /sys/fs/cgroup: version 2 has one tree, version 1 one for each controller
// or pair of them; none if this tree has no quotas of CPU time.
std::optional<std::filesystem::path> tree_of(const std::string& controllers) {
  if (controllers.empty()) return "";
  for (const std::string_view name : {"cpu", "cpu,cpuacct", "cpuacct,cpu"})
    if (controllers == name) return controllers;
  return std::nullopt;
}

}  // namespace

std::optional<double> cpu_quota(const std::filesystem::path& root) {
  std::optional<double> least;
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "4:cpu,cpuacct:/docker/abc", version 2: "0::/abc"
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const auto tree = tree_of(line.substr(first + 1, second - first - 1));
    if (!tree) continue;
    const std::filesystem::path top = root / "sys/fs/cgroup" / *tree;
    // Inside a container the path may be the host's, which is not visible here: the folders that exist count.
    for (std::filesystem::path below = std::filesystem::path(line.substr(second + 1)).relative_path();;
         below = below.parent_path()) {
      if (const auto quota = quota_of(top / below)) least = std::min(least.value_or(*quota), *quota);
      if (below.empty()) break;
    }
  }
  return least;
}

int concurrent_threads(const std::filesystem::path& root) {
  const int cores = usable_cores();
  return std::max(1, static_cast<int>(std::min<double>(cores, cpu_quota(root).value_or(cores))));
}

VectorInstructions vector_instructions() {
  VectorInstructions result;
#if defined(__x86_64__)
  __builtin_cpu_init();
  result.avx2 = __builtin_cpu_supports("avx2");
  // These also check whether the operating system saves the wide registers.
  result.avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  result.avx512_bf16 = result.avx512 && __builtin_cpu_supports("avx512bf16");
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) {
    constexpr unsigned amx_bf16_bit = 1U << 22, amx_tile_bit = 1U << 24;
    result.amx_bf16 = result.avx512 && (edx & amx_bf16_bit) != 0 && (edx & amx_tile_bit) != 0;
  }
#endif
  return result;
}

std::string vector_instruction_names() {
  const VectorInstructions have = vector_instructions();
  std::string names;
  const auto add = [&names](bool there, const char* name) {
    if (there) names += (names.empty() ? "" : ", ") + std::string(name);
  };
  add(have.avx2, "AVX2");
  add(have.avx512, "AVX-512");
  add(have.avx512_bf16, "AVX512-BF16");
  add(have.amx_bf16, "AMX-BF16");
  return names.empty() ? "no vector extensions" : names;
}

}  // namespace convoy
