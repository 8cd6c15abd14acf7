// The launch scripts by themselves: what they refuse, what they print, which code they end with.
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "support/process.hpp"

namespace convoy::test {
namespace {

const std::string program = CONVOY_PROGRAM;
const std::string launch = CONVOY_SOURCE "/launch/";

// A program that stands in front of the system's on PATH.
void stand_in(const TemporaryFolder& folder, const std::string& name, const std::string& script) {
  std::ofstream(folder / name) << "#!/bin/sh\n" << script << "\n";
  std::filesystem::permissions(folder / name, std::filesystem::perms::owner_all);
}

std::string path_with(const TemporaryFolder& folder) {
  return "PATH=" + folder.path().string() + ":" + std::getenv("PATH");
}

TEST(Launch, LocalPassesExitCodesOnAndRefusesItsOwnMistakes) {
  const std::string local = launch + "local";
  const std::vector<std::string> environment = {"CONVOY=" + program};
  EXPECT_EQ(Process({local, "-n", "2", "models"}, environment).wait().code, 0);
  EXPECT_EQ(Process({local, "-n", "2", "train", "--nonsense"}, environment).wait().code, 64);
  EXPECT_EQ(Process({local, "-n", "none", "models"}, environment).wait().code, 64);
  EXPECT_EQ(Process({local, "--gpus", "2", "models"}, environment).wait().code, 64);
  EXPECT_EQ(Process({local}, environment).wait().code, 64);
  EXPECT_EQ(Process({local, "models"}, {"CONVOY=/nowhere/convoy"}).wait().code, 64);
}

// A stand-in for Convoy on a machine with three GPUs.
TEST(Launch, LocalStartsARankForEachGpu) {
  const TemporaryFolder folder;
  stand_in(folder, "convoy", "[ \"$*\" != 'doctor --count-gpus --allow-single' ] || echo 3");
  stand_in(folder, "mpirun", "exit 0");
  const std::vector<std::string> environment = {path_with(folder), "CONVOY=" + (folder / "convoy").string()};
  const std::string local = launch + "local";
  EXPECT_NE(Process({local, "train"}, environment).wait().err.find("mpirun -n 3 "), std::string::npos);
  for (const std::string device : {"--device=cpu", "--device cpu"}) {
    std::vector<std::string> command = {"/bin/sh", "-c", local + " train " + device};
    EXPECT_EQ(Process(command, environment).wait().err.find("mpirun -n 3 "), std::string::npos) << device;
  }
  EXPECT_NE(Process({local, "-n", "2", "train"}, environment).wait().err.find("mpirun -n 2 "),
            std::string::npos);
}

// A stand-in for Convoy in a container that may use the time of one core.
TEST(Launch, LocalStartsNoMoreThreadsThanTheContainerMayRun) {
  const TemporaryFolder folder;
  stand_in(folder, "convoy", "[ \"$*\" != 'doctor --count-cores --allow-single' ] || echo 1");
  stand_in(folder, "mpirun", "exit 0");
  const std::vector<std::string> environment = {path_with(folder), "CONVOY=" + (folder / "convoy").string()};
  const Outcome outcome = Process({launch + "local", "train"}, environment).wait();
  EXPECT_NE(outcome.err.find("mpirun -n 1 "), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("OMP_NUM_THREADS=1"), std::string::npos) << outcome.err;
}

// mpirun binds from the first core on: all containers of a machine would share its first cores.
TEST(Launch, LocalBindsNoRankWithinALimitOnCpuTime) {
  const TemporaryFolder folder;
  for (const char* count : {"nproc", "wc"}) stand_in(folder, count, "echo 8");  // a machine with eight cores
  stand_in(folder, "convoy", "[ \"$*\" != 'doctor --count-cores --allow-single' ] || echo 2");
  stand_in(folder, "mpirun", "exit 0");
  const std::vector<std::string> environment = {path_with(folder), "CONVOY=" + (folder / "convoy").string()};
  const Outcome limited = Process({launch + "local", "-n", "2", "train"}, environment).wait();
  EXPECT_NE(limited.err.find("--bind-to none"), std::string::npos) << limited.err;
  stand_in(folder, "convoy", "exit 0");
  const Outcome free = Process({launch + "local", "-n", "2", "train"}, environment).wait();
  EXPECT_NE(free.err.find("--bind-to core"), std::string::npos) << free.err;
}

// In a job of other nodes, as salloc leaves the environment: the ranks run here, without Slurm.
TEST(Launch, LocalStaysOnThisNodeInAJob) {
  std::vector<std::string> environment = {"CONVOY=" + program, "SLURM_JOB_ID=7", "SLURM_JOBID=7",
                                          "SLURM_NNODES=2", "SLURM_TASKS_PER_NODE=1(x2)"};
  for (const char* name : {"SLURM_NODELIST", "SLURM_JOB_NODELIST"})
    environment.push_back(std::string(name) + "=elsewhere[1-2]");
  const Outcome outcome = Process({launch + "local", "-n", "2", "doctor"}, environment).wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("Ranks: 2 on 1 host(s)"), std::string::npos) << outcome.out;
}

// As in a pod of Kubernetes, whose name may have 63 characters.
TEST(Launch, RunsOnAHostWithALongName) {
  if (run({"unshare", "--uts", "true"}).code != 0) GTEST_SKIP() << "another host name takes root's rights";
  const std::string named = "hostname " + std::string(64, 'h') + " && exec ";
  const Outcome alone = run({"unshare", "--uts", "sh", "-c", named + program + " doctor"});
  EXPECT_EQ(alone.code, 0) << alone.err;
  EXPECT_NE(alone.out.find("Ranks: 1 on 1 host(s)"), std::string::npos) << alone.out;
  const Outcome two =
      Process({"unshare", "--uts", "sh", "-c", named + launch + "local -n 2 doctor"}, {"CONVOY=" + program})
          .wait();
  EXPECT_EQ(two.code, 0) << two.err;
  EXPECT_NE(two.out.find("Ranks: 2 on 1 host(s)"), std::string::npos) << two.out;
}

TEST(Launch, BootstrapNamesCudaPackagesOnAMachineWithAGpu) {
  const TemporaryFolder folder;
  stand_in(folder, "dpkg-query", "echo installed");
  stand_in(folder, "nvidia-smi", "echo 'GPU 0: NVIDIA H100'");
  stand_in(folder, "nvcc", "exit 0");
  stand_in(folder, "ldconfig", "echo 'libcudnn.so => /usr/lib/libcudnn.so'");
  const Outcome outcome = Process({launch + "bootstrap"}, {path_with(folder)}).wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("libnccl-dev"), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.err.find("libcudnn9-dev"), std::string::npos) << outcome.err;
}

TEST(Launch, MpirunWantsAHostFile) {
  const std::string mpirun = launch + "mpirun";
  const std::vector<std::string> environment = {"CONVOY=" + program};
  EXPECT_EQ(Process({mpirun}, environment).wait().code, 64);
  const Outcome absent = Process({mpirun, "/nowhere/hosts", "models"}, environment).wait();
  EXPECT_EQ(absent.code, 64);
  EXPECT_NE(absent.err.find("/nowhere/hosts"), std::string::npos);
  const TemporaryFolder folder;
  std::ofstream(folder / "hosts") << "localhost slots=2\n";
  const Outcome two = Process({mpirun, folder / "hosts", "doctor"}, environment).wait();
  EXPECT_EQ(two.code, 0) << two.err;
  EXPECT_NE(two.out.find("Ranks: 2 on 1 host(s)"), std::string::npos) << two.out;
  std::ofstream(folder / "windows") << "localhost slots=2\r\n";
  const Outcome windows = Process({mpirun, folder / "windows", "doctor"}, environment).wait();
  EXPECT_EQ(windows.code, 64);
  EXPECT_NE(windows.err.find("line ends of Windows"), std::string::npos) << windows.err;
  EXPECT_NE(Process({mpirun, folder.path(), "doctor"}, environment).wait().err.find("is a folder"),
            std::string::npos);
  std::ofstream(folder / "empty") << "# none yet\n\n  # nor here";
  const Outcome empty = Process({mpirun, folder / "empty", "doctor"}, environment).wait();
  EXPECT_EQ(empty.code, 64);
  EXPECT_NE(empty.err.find("names no host"), std::string::npos) << empty.err;
}

// As ~/bin/convoy-local may be, or a link to the folder.
TEST(Launch, StartsThroughALink) {
  const TemporaryFolder folder;
  std::filesystem::create_directory_symlink(launch, folder / "scripts");
  for (const std::string script : {"local", "mpirun"}) {
    std::filesystem::create_symlink(launch + script, folder / script);
    for (const std::filesystem::path& link : {folder / script, folder / "scripts" / script}) {
      const Outcome outcome =
          Process({link, "--hosts", "localhost:1", "--dry-run", "models"}, {"CONVOY=" + program}).wait();
      EXPECT_EQ(outcome.code, 0) << link << outcome.err;
    }
  }
}

// mpirun leaves a process that holds its standard error, as the master of shared ssh connections does.
TEST(Launch, DoesNotWaitForWhatMpirunLeavesBehind) {
  const TemporaryFolder folder;
  const std::filesystem::path id = folder / "id";
  stand_in(folder, "mpirun", "sleep 300 >/dev/null & echo $! >" + id.string() + "; echo printed; exit 3");
  std::ofstream(folder / "hosts") << "localhost\n";
  const Outcome outcome =
      Process({launch + "mpirun", folder / "hosts", "models"}, {path_with(folder), "CONVOY=" + program})
          .wait(60);
  const pid_t left = std::stoi(read_file(id));
  EXPECT_EQ(::kill(left, SIGKILL), 0) << "it still ran";
  EXPECT_EQ(outcome.code, 3) << outcome.err;
  EXPECT_EQ(outcome.out, "printed\n");
}

// Stand-ins for Slurm: a job whose ranks stopped with a checkpoint.
TEST(Launch, TheSlurmJobComesBackOrSaysThatItDoesNot) {
  const TemporaryFolder folder;
  stand_in(folder, "srun", "echo \"$*\"; exit 75");
  stand_in(folder, "scontrol", "[ \"$*\" = \"requeue 7\" ]");
  const std::filesystem::path output = folder / "run";
  const std::vector<std::string> command = {
      "bash", CONVOY_SOURCE "/cluster/train.sbatch", "--output", output, "--resume", "mine.h5"};
  std::vector<std::string> environment = {path_with(folder), "SLURM_JOB_ID=7"};
  const Outcome first = Process(command, environment).wait();
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_NE(first.out.find("--resume mine.h5\n"), std::string::npos) << first.out;
  environment.push_back("SLURM_RESTART_COUNT=1");
  EXPECT_NE(Process(command, environment).wait().out.find("--resume mine.h5\n"), std::string::npos)
      << "it ended before its first checkpoint";
  std::filesystem::create_directories(output / "checkpoints");
  std::ofstream(output / "checkpoints" / "latest") << "a checkpoint";
  const Outcome second = Process(command, environment).wait();
  EXPECT_EQ(second.code, 0) << second.err;
  EXPECT_NE(second.out.find("--resume mine.h5 --resume auto\n"), std::string::npos) << second.out;
  environment[1] = "SLURM_JOB_ID=8";  // which this site does not put back
  const Outcome refused = Process(command, environment).wait();
  EXPECT_EQ(refused.code, 75);
  EXPECT_NE(refused.err.find("submit the same line again"), std::string::npos) << refused.err;
}

TEST(Launch, BootstrapWithoutRootSaysWhatToInstall) {
  const TemporaryFolder folder;
  stand_in(folder, "dpkg-query", "exit 1");  // nothing is installed
  stand_in(folder, "id", "echo 1000");
  stand_in(folder, "apt-get", "echo called >&2; exit 1");
  const Outcome outcome = Process({launch + "bootstrap"}, {path_with(folder)}).wait();
  EXPECT_EQ(outcome.code, 1);
  for (const char* word :
       {"cmake", "libopenmpi-dev", "libhdf5-dev", "libdnnl-dev", "sudo apt-get install", "modules"})
    EXPECT_NE(outcome.err.find(word), std::string::npos) << word << "\n" << outcome.err;
  EXPECT_EQ(outcome.err.find("called"), std::string::npos);
}

TEST(Launch, BootstrapAsRootInstallsWhatIsMissingOnly) {
  const TemporaryFolder folder;
  stand_in(folder, "dpkg-query", "for last; do :; done; [ \"$last\" = cmake ] && exit 1; echo installed");
  stand_in(folder, "id", "echo 0");
  stand_in(folder, "apt-get", "echo apt-get \"$@\" >&2");
  const Outcome outcome = Process({launch + "bootstrap"}, {path_with(folder)}).wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("update"), std::string::npos);
  EXPECT_NE(outcome.err.find("install --yes --no-install-recommends cmake\n"), std::string::npos)
      << outcome.err;
}

TEST(Launch, BootstrapDoesNothingWhenAllIsThere) {
  const TemporaryFolder folder;
  stand_in(folder, "dpkg-query", "echo installed");
  stand_in(folder, "apt-get", "exit 1");
  stand_in(folder, "nvidia-smi", "exit 9");  // no GPU here
  const Outcome outcome = Process({launch + "bootstrap"}, {path_with(folder)}).wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out + outcome.err, "");
}

}  // namespace
}  // namespace convoy::test
