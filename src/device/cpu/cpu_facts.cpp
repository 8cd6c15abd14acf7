#include "device/cpu/cpu_facts.hpp"

#include <sched.h>

#include <algorithm>
#include <thread>

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
