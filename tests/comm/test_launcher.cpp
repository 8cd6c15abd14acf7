// The launcher's variables: as mpirun, srun with and without PMI, and batch
// scripts of Slurm set them.
#include <gtest/gtest.h>

#include <map>

#include "comm/launcher.hpp"

namespace convoy {
namespace {

using Variables = std::map<std::string, std::string>;

Launcher launcher_of(const Variables& variables) {
  return find_launcher([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

std::string refusal(const Variables& variables, int ranks) {
  return disconnected_ranks(launcher_of(variables), ranks);
}

const Variables step = {{"SLURM_NTASKS", "4"}, {"SLURM_STEP_NUM_TASKS", "4"}, {"SLURM_PROCID", "2"}};
const Variables batch_script = {{"SLURM_NTASKS", "8"}, {"SLURM_PROCID", "0"}, {"SLURM_JOB_ID", "7"}};

TEST(Launcher, RankAndSize) {
  EXPECT_EQ(launcher_of({}).size, 1);
  EXPECT_EQ(launcher_of({}).rank, 0);
  EXPECT_EQ(launcher_of({{"OMPI_COMM_WORLD_SIZE", "3"}, {"OMPI_COMM_WORLD_RANK", "2"}}).rank, 2);
  EXPECT_EQ(launcher_of({{"PMI_SIZE", "3"}, {"PMI_RANK", "1"}}).size, 3);
  EXPECT_EQ(launcher_of(step).rank, 2);
  EXPECT_EQ(launcher_of(step).size, 4);
  EXPECT_EQ(launcher_of({{"PMI_SIZE", "three"}}).size, 1);
}

TEST(Launcher, ATaskOfSrunThatMpiDoesNotConnect) {
  const std::string text = refusal(step, 1);
  for (const char* part : {"SLURM_STEP_NUM_TASKS=4", "srun --mpi=pmix", "--allow-single"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
  EXPECT_EQ(refusal(step, 4), "");
  EXPECT_EQ(refusal({{"SLURM_STEP_NUM_TASKS", "1"}, {"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "8"}}, 1), "");
}

TEST(Launcher, AStepWithoutPmiIsKnownBeforeMpiStarts) {
  EXPECT_TRUE(launcher_of(step).without_pmi);
  for (const char* name : {"PMIX_NAMESPACE", "PMI_FD"}) {
    Variables connected = step;
    connected[name] = "x";
    EXPECT_FALSE(launcher_of(connected).without_pmi) << name;
  }
  EXPECT_FALSE(launcher_of(batch_script).without_pmi);
  EXPECT_FALSE(launcher_of({}).without_pmi);
}

// Slurm's own PMI library connects the tasks of MPICH without these variables.
TEST(Launcher, OnlyOpenMpiNeedsTheVariablesOfPmi) {
  EXPECT_TRUE(needs_pmi_variables("Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4"));
  for (const char* other :
       {"MPICH Version:      4.0.2", "MVAPICH2 Version      :\t2.3.7", "Intel(R) MPI Library 2021.9", ""})
    EXPECT_FALSE(needs_pmi_variables(other)) << other;
}

TEST(Launcher, ABatchScriptIsNoStep) {
  EXPECT_EQ(refusal(batch_script, 1), "");
}

TEST(Launcher, TheMpirunOfAnotherMpiLibrary) {
  const std::string text = refusal({{"PMI_SIZE", "4"}, {"PMI_RANK", "0"}}, 1);
  EXPECT_NE(text.find("PMI_SIZE=4"), std::string::npos) << text;
  EXPECT_EQ(text.find("srun"), std::string::npos) << text;
  EXPECT_NE(refusal({{"OMPI_COMM_WORLD_SIZE", "2"}, {"OMPI_COMM_WORLD_RANK", "1"}}, 1), "");
  EXPECT_NE(refusal({{"PMIX_RANK", "3"}}, 1), "");
  EXPECT_EQ(refusal({{"PMIX_RANK", "0"}}, 1), "");
}

// mpirun starts its own helpers as a step of srun.
TEST(Launcher, MpirunInsideAStepCounts) {
  Variables inside = step;
  inside["OMPI_COMM_WORLD_SIZE"] = "1";
  inside["OMPI_COMM_WORLD_RANK"] = "0";
  EXPECT_EQ(refusal(inside, 1), "");
  inside["OMPI_COMM_WORLD_SIZE"] = "4";
  EXPECT_EQ(refusal(inside, 4), "");
}

}  // namespace
}  // namespace convoy
