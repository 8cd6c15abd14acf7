// Where the launch scripts start ranks: --hosts, host files, Slurm's allocation; and --dry-run, which shows
// it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "support/process.hpp"

namespace convoy::test {
namespace {

const std::string program = CONVOY_PROGRAM;
const std::string launch = CONVOY_SOURCE "/launch/";

Outcome dry_run(const std::string& script, std::vector<std::string> words,
                std::vector<std::string> environment = {}) {
  words.insert(words.begin(), {launch + script, "--dry-run"});
  environment.push_back("CONVOY=" + program);
  return Process(words, environment).wait();
}

void expect_words(const Outcome& outcome, const std::string& words) {
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE((" " + outcome.out).find(" " + words + " "), std::string::npos) << outcome.out;
}

TEST(LaunchHosts, ADryRunPrintsTheCommandAndStartsNothing) {
  const TemporaryFolder folder;
  const std::string output = folder / "run";
  const Outcome outcome =
      dry_run("local", {"-n", "2", "--restarts", "3", "train", "--output", output, "--data", "a b"});
  expect_words(outcome, "mpirun -n 2");
  EXPECT_NE(outcome.out.find(program + " train --output " + output + " --data a\\ b\n"), std::string::npos)
      << outcome.out;
  EXPECT_FALSE(std::filesystem::exists(output));
}

TEST(LaunchHosts, AListOrAFile) {
  expect_words(dry_run("mpirun", {"--hosts", "node1:4,node2:4", "train"}), "--host node1:4,node2:4");
  expect_words(dry_run("mpirun", {"--hosts=node1,node2", "-n", "2", "train"}), "--host node1,node2");
  expect_words(dry_run("local", {"--hosts", "node1:4,node2:4", "--threads", "8", "train"}),
               "-x OMP_NUM_THREADS=8");
  const TemporaryFolder folder;
  const std::string file = folder / "hosts";
  std::ofstream(file) << "node1 slots=4\n";
  expect_words(dry_run("mpirun", {"--hosts", file, "train"}), "--hostfile " + file);
  expect_words(dry_run("mpirun", {file, "train"}), "--hostfile " + file);
  for (const std::string wrong :
       {"node1:", "node1:0", "node1:4 node2:4", "node1:4,,node2:4", "/nowhere/hosts", ""}) {
    const Outcome outcome = dry_run("mpirun", {"--hosts", wrong, "train"});
    EXPECT_EQ(outcome.code, 64) << wrong;
    EXPECT_NE(outcome.err.find("--hosts"), std::string::npos) << outcome.err;
  }
}

// The guard stays with each daemon, and the user's own settings win.
TEST(LaunchHosts, LostHostsAreFound) {
  const std::vector<std::string> words = {"--hosts", "node1:4", "train"};
  expect_words(dry_run("mpirun", words), "--mca oob_tcp_keepalive_time 60");
  EXPECT_NE(dry_run("mpirun", words).out.find("host_guard"), std::string::npos);
  const Outcome set = dry_run("mpirun", words, {"OMPI_MCA_oob_tcp_keepalive_time=9"});
  EXPECT_EQ(set.out.find("keepalive_time"), std::string::npos) << set.out;
  const Outcome given = dry_run("mpirun", words, {"CONVOY_MPIRUN_OPTIONS=--mca oob_tcp_keepalive_time 9"});
  expect_words(given, "--mca oob_tcp_keepalive_time 9");
  EXPECT_EQ(given.out.find("keepalive_time 60"), std::string::npos) << given.out;
}

// As salloc leaves the environment, with a stand-in for scontrol.
class Allocation : public testing::Test {
 protected:
  Allocation() {
    std::ofstream(folder_ / "scontrol")
        << "#!/bin/sh\n[ \"$*\" = 'show hostnames node[1-3]' ] && printf 'node1\\nnode2\\nnode3\\n'\n";
    std::filesystem::permissions(folder_ / "scontrol", std::filesystem::perms::owner_all);
  }
  Outcome in_job(const std::vector<std::string>& words, const std::vector<std::string>& variables) const {
    std::vector<std::string> environment = variables;
    environment.push_back("PATH=" + folder_.path().string() + ":" + std::getenv("PATH"));
    environment.push_back("SLURM_JOB_NODELIST=node[1-3]");
    environment.push_back("SLURM_JOB_NUM_NODES=3");
    return dry_run("mpirun", words, environment);
  }
  TemporaryFolder folder_;
};

TEST_F(Allocation, ItsNodesAndTasks) {
  expect_words(in_job({"train", "--epochs", "1"}, {"SLURM_NTASKS=11", "SLURM_TASKS_PER_NODE=4(x2),3"}),
               "--host node1:4,node2:4,node3:3");
  // Slurm counts a task for each CPU if nobody asked for a number of tasks.
  const std::string cpus = "SLURM_JOB_CPUS_PER_NODE=64(x2),8", tasks = "SLURM_TASKS_PER_NODE=64(x2),8";
  expect_words(in_job({"train"}, {tasks, cpus}), "--host node1:8,node2:8,node3:1");
  expect_words(in_job({"train"}, {tasks, cpus, "SLURM_GPUS_PER_NODE=a100:4"}),
               "--host node1:4,node2:4,node3:4");
}

TEST_F(Allocation, NamedHostsWin) {
  const std::string file = folder_ / "train";  // a host file, though named like a command
  std::ofstream(file) << "node9 slots=2\n";
  expect_words(in_job({file, "train"}, {"SLURM_NTASKS=3"}), "--hostfile " + file);
  expect_words(in_job({"--hosts", "node2:4", "train"}, {"SLURM_NTASKS=3"}), "--host node2:4");
}

TEST_F(Allocation, NodesThatSlurmDoesNotList) {
  std::ofstream(folder_ / "scontrol") << "#!/bin/sh\nexit 1\n";
  const Outcome outcome = in_job({"train"}, {"SLURM_NTASKS=3"});
  EXPECT_EQ(outcome.code, 71);
  EXPECT_NE(outcome.err.find("scontrol show hostnames node[1-3]"), std::string::npos) << outcome.err;
}

TEST(LaunchHosts, HelpIsNoError) {
  for (const std::string script : {"local", "mpirun"}) {
    const Outcome outcome = Process({launch + script, "--help"}).wait();
    EXPECT_EQ(outcome.code, 0);
    for (const std::string option : {"--hosts", "--restarts", "--restart-wait", "--dry-run", "--threads"})
      EXPECT_NE(outcome.out.find("  " + option), std::string::npos) << option;
  }
}

TEST(LaunchHosts, RefusesWrongOptions) {
  for (const std::string script : {"local", "mpirun"}) {
    const std::vector<std::vector<std::string>> mistakes = {{"--restarts", "many", "train"},
                                                            {"--restart-wait", "-1", "train"},
                                                            {"--ranks", "0", "train"},
                                                            {"--restarts"}};
    for (const auto& words : mistakes) {
      const Outcome outcome = dry_run(script, words);
      EXPECT_EQ(outcome.code, 64) << words[0];
      EXPECT_NE(outcome.err.find("launch/" + script + ": " + words[0] + " requires a number from "),
                std::string::npos)
          << outcome.err;
    }
    EXPECT_EQ(dry_run(script, {"--nonsense", "train"}).code, 64);
  }
}

}  // namespace
}  // namespace convoy::test
