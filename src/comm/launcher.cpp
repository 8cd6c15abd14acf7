#include "comm/launcher.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "comm/mpi_calls.hpp"

namespace convoy {
namespace {

struct Variables {
  const char* rank;
  const char* size;
  bool slurm;
};

// Innermost first: a process of mpirun inside a step of srun has the variables of both.
constexpr Variables launchers[] = {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", false},  // Open MPI
                                   {"PMI_RANK", "PMI_SIZE", false},                          // MPICH, Intel
                                   {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", true}};

std::optional<int> number(const Environment& environment, const char* name) {
  const char* text = environment(name);
  if (text == nullptr) return std::nullopt;
  int value = 0;
  const std::string_view view(text);
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
  if (error != std::errc() || end != view.data() + view.size()) return std::nullopt;
  return value;
}

bool has_pmi(const Environment& environment) {
  return std::ranges::any_of(
      std::array{"PMIX_NAMESPACE", "PMIX_RANK", "PMI_RANK", "PMI_FD", "OMPI_COMM_WORLD_SIZE"},
      [&](const char* name) { return environment(name) != nullptr; });
}

}  // namespace

Launcher find_launcher(const Environment& environment) {
  for (const auto& [rank, size, slurm] : launchers) {
    const std::optional<int> processes = number(environment, size);
    if (!processes) continue;
    return {.rank = number(environment, rank).value_or(0),
            .size = *processes,
            .source = fmt::format("{}={}", size, *processes),
            // With pmi2 srun sets PMI_RANK and PMI_SIZE too.
            .slurm = slurm || (number(environment, "SLURM_STEP_NUM_TASKS") == processes &&
                               environment("OMPI_COMM_WORLD_SIZE") == nullptr),
            .without_pmi = slurm && !has_pmi(environment)};
  }
  // PMIx itself gives no size.
  if (const std::optional<int> rank = number(environment, "PMIX_RANK"); rank && *rank > 0)
    return {.rank = *rank, .size = *rank + 1, .source = fmt::format("PMIX_RANK={}", *rank)};
  return {};
}

Launcher find_launcher() {
  return find_launcher([](const char* name) { return std::getenv(name); });
}

std::string disconnected_ranks(const Launcher& launcher, int ranks) {
  if (ranks > 1 || launcher.size <= 1) return {};
  return fmt::format(
      "the launcher started several processes ({}), but MPI does not connect them: each would do all the "
      "work and write the same files. {}; to run this process alone, pass --allow-single",
      launcher.source,
      launcher.slurm
          ? "Start them with srun --mpi=pmix (srun --mpi=list lists what this site offers), or with "
            "the mpirun of the MPI library that Convoy is built with"
          : "Start them with the mpirun of the MPI library that Convoy is built with");
}

bool needs_pmi_variables(std::string_view library) {
  return library.starts_with("Open MPI");
}

bool needs_pmi_variables() {
  return needs_pmi_variables(mpi_library());
}

// Open MPI takes a process with these for one that srun connects.
void hide_step() {
  for (const char* name : {"SLURM_STEPID", "SLURM_STEP_ID"}) ::unsetenv(name);
}

}  // namespace convoy
