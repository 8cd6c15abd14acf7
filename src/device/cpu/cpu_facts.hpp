// Properties of this process's CPU: the number of cores and threads it may use, and whether it has the
// instructions that 16-bit training needs. Used by engines (threads, precision) and by `convoy doctor`.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace convoy {

// Cores that this process may run on (its affinity mask, which launchers and Slurm set); at least 1.
int usable_cores();

// How many cores' time the control group of this process may use at once (`docker --cpus 2.5`, a CPU limit in
// Kubernetes, systemd's CPUQuota), of itself and of the groups around it; none without such a limit. The
// affinity mask does not show it: threads beyond it only wait for one another. `root` is the file system's.
std::optional<double> cpu_quota(const std::filesystem::path& root = "/");

// How many threads of this process compute at once: its cores, or fewer where the quota is less; at least 1.
int concurrent_threads(const std::filesystem::path& root = "/");

struct VectorInstructions {
  bool avx2 = false;
  bool avx512 = false;       // F, BW, DQ and VL: required by oneDNN for bf16, computed in float32
  bool avx512_bf16 = false;  // products of bf16 in hardware
  bool amx_bf16 = false;     // matrix tiles of bf16
};

VectorInstructions vector_instructions();

// For display: "AVX-512, AVX512-BF16".
std::string vector_instruction_names();

}  // namespace convoy
