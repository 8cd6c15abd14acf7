// Rank and number of processes as the launcher (mpirun, srun) puts them into the environment, known before
// MPI starts and independently of it. Used by cli/ to answer once for all ranks, and to detect ranks that MPI
// does not connect.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace convoy {

// Gives an environment variable's value, null if it is not set: std::getenv, or a test's.
using Environment = std::function<const char*(const char* name)>;

struct Launcher {
  int rank = 0, size = 1;
  std::string source;  // the variable that gives the size or the rank: "OMPI_COMM_WORLD_SIZE=4"; may be empty
  bool slurm = false;  // srun itself started this process
  // No variable of PMI in a task of srun (--mpi=none): Open MPI cannot connect its tasks and does not even
  // start in one. Other MPI libraries may reach Slurm without these variables.
  bool without_pmi = false;
};

// The innermost launcher counts: mpirun may run inside a step of srun. The variables of a Slurm job that is
// no step (SLURM_NTASKS in a batch script) do not count.
Launcher find_launcher(const Environment& environment);
Launcher find_launcher();

// Why `ranks`, the number that MPI found, cannot be right: the launcher started several processes, but MPI
// takes each for a group of its own, which would all do the same work and write the same files. Empty if
// the two agree.
std::string disconnected_ranks(const Launcher& launcher, int ranks);

// Whether the MPI library with this version text, by default the program's own, starts only with what
// Launcher::without_pmi lacks. May be asked before MPI starts.
bool needs_pmi_variables(std::string_view library);
bool needs_pmi_variables();

// Lets Open MPI start alone in a task of srun without PMI: hides the step from it. To be called before MPI
// and threads start.
void hide_step();

}  // namespace convoy
