// launch/local and launch/mpirun with --restarts: after which codes they start a run again, with which words,
// and that the result is an undisturbed run's. Stand-ins for mpirun where only the decision matters.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "support/process.hpp"
#include "support/program_runs.hpp"

namespace convoy::test {
namespace {

const std::string program = CONVOY_PROGRAM;
const std::string local = CONVOY_SOURCE "/launch/local";

// An mpirun that appends its words to the file `calls` and ends with the codes of `codes`, one after the
// other; the last one from then on. `also`: what it does before it ends.
class StandIn {
 public:
  explicit StandIn(const std::string& codes, const std::string& also = "") {
    std::ofstream(folder_ / "mpirun")
        << "#!/bin/bash\ncd '" << folder_.path().string() << "' || exit 1\n"
        << "echo \"$*\" >>calls\ncodes=(" << codes << ")\n"
        << "count=$(wc -l <calls)\n"
        << also << "\n"
        << "exit ${codes[count > ${#codes[@]} ? ${#codes[@]} - 1 : count - 1]}\n";
    std::ofstream(folder_ / "convoy") << "#!/bin/sh\nexit 1\n";  // asked for cores, it knows of no limit
    for (const char* name : {"mpirun", "convoy"})
      std::filesystem::permissions(folder_ / name, std::filesystem::perms::owner_all);
  }
  std::vector<std::string> environment() const {
    return {"PATH=" + folder_.path().string() + ":" + std::getenv("PATH"),
            "CONVOY=" + (folder_ / "convoy").string()};
  }
  std::string calls() const { return read_file(folder_ / "calls"); }
  int count() const { return occurrences(calls(), "\n"); }
  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }

 private:
  TemporaryFolder folder_;
};

Outcome restarted(const StandIn& mpirun, const std::vector<std::string>& words,
                  const std::string& times = "2") {
  std::vector<std::string> command = {local, "-n", "2", "--restarts", times, "--restart-wait", "0"};
  command.insert(command.end(), words.begin(), words.end());
  return Process(command, mpirun.environment()).wait();
}

TEST(Restarts, OnlyAfterFailuresThatMayPass) {
  for (const std::string code : {"0", "1", "64", "65", "70", "75", "76"}) {
    const StandIn mpirun(code);
    EXPECT_EQ(restarted(mpirun, {"train"}).code, std::stoi(code));
    EXPECT_EQ(mpirun.count(), 1) << "code " << code;
  }
  // mpirun's own code 205 says that it lost a host: 71.
  for (const std::string code : {"71", "74", "134", "137", "139", "205"}) {
    const StandIn mpirun(code + " 0");
    const Outcome outcome = restarted(mpirun, {"train"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(mpirun.count(), 2) << "code " << code;
    const std::string told = "ended with code " + (code == "205" ? "71" : code) + " (";
    EXPECT_NE(outcome.err.find(told), std::string::npos) << outcome.err;
  }
}

TEST(Restarts, AsOftenAsAllowed) {
  const StandIn mpirun("71");
  const Outcome outcome = restarted(mpirun, {"train"});
  EXPECT_EQ(outcome.code, 71);
  EXPECT_EQ(mpirun.count(), 3);
  EXPECT_NE(outcome.err.find("Attempt 3 of 3 starts in 0 s"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("after 2 restarts, the most that --restarts allows"), std::string::npos)
      << outcome.err;
  const StandIn once("71");
  EXPECT_EQ(Process({local, "-n", "2", "train"}, once.environment()).wait().code, 71);
  EXPECT_EQ(once.count(), 1) << "not unless asked to";
}

// The words behind the command of the n-th call.
std::string words_of_call(const StandIn& mpirun, int number) {
  std::istringstream lines(mpirun.calls());
  std::string line;
  for (int i = 0; i < number; ++i) std::getline(lines, line);
  return line.substr(line.find(" train") + 1);
}

TEST(Restarts, TrainingGoesOnFromItsOwnCheckpoint) {
  const StandIn plain("71 0");
  restarted(plain, {"train", "--output", "run"});
  EXPECT_EQ(words_of_call(plain, 1), "train --output run");
  EXPECT_EQ(words_of_call(plain, 2), "train --output run --resume auto");
  // Other commands get no such option.
  const StandIn other("74 0");
  restarted(other, {"verify", "store"});
  EXPECT_EQ(other.calls().find("--resume"), std::string::npos);
}

// A run started from a checkpoint that the user named starts from it again until it has saved one of its own.
TEST(Restarts, ANamedCheckpointStaysTheStartUntilThereIsANewOne) {
  const TemporaryFolder folder;
  const std::filesystem::path checkpoints = folder / "run" / "checkpoints";
  std::filesystem::create_directories(checkpoints);
  std::filesystem::create_symlink("step-000000005.h5", checkpoints / "latest");  // of an earlier run
  const StandIn mpirun(
      "71 71 0", "[ $count -lt 2 ] || ln -sfn step-000000009.h5 '" + (checkpoints / "latest").string() + "'");
  const std::string output = folder / "run";
  const Outcome outcome = restarted(mpirun, {"train", "--output=" + output, "--resume", "mine.h5"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(words_of_call(mpirun, 1), "train --output=" + output + " --resume mine.h5");
  EXPECT_EQ(words_of_call(mpirun, 2), words_of_call(mpirun, 1));
  EXPECT_EQ(words_of_call(mpirun, 3), words_of_call(mpirun, 1) + " --resume auto");
  EXPECT_NE(outcome.err.find("starts in 0 s from step-000000009.h5"), std::string::npos) << outcome.err;
}

TEST(Restarts, ARequestToStopEndsTheWaitAtOnce) {
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) {
    const StandIn mpirun("71");
    Process process({local, "-n", "2", "--restarts", "1", "--restart-wait", "600", "train"},
                    mpirun.environment());
    std::string text;
    for (int tries = 0; tries < 1000 && text.find("Attempt 2 of 2") == std::string::npos; ++tries) {
      usleep(20'000);
      text = process.err();
    }
    process.signal(signal);
    const Outcome outcome = process.wait(30);
    EXPECT_EQ(outcome.code, 75) << outcome.err;
    EXPECT_EQ(mpirun.count(), 1);
  }
}

// A stop that a failure prevents is no reason to start again.
TEST(Restarts, NotAfterARequestToStop) {
  const StandIn mpirun("137",
                       "trap 'exit 137' USR1; echo waits; for ((i = 0; i < 600; ++i)); do sleep 0.1; done");
  Process process({local, "-n", "2", "--restarts", "1", "--restart-wait", "0", "train"},
                  mpirun.environment());
  ASSERT_TRUE(process.wait_for_output("waits")) << process.err();
  process.signal(SIGTERM);
  EXPECT_EQ(process.wait(30).code, 137);
  EXPECT_EQ(mpirun.count(), 1);
}

// mpirun waits for ever, as it does for a host that was cut off, after a rank has ended the run.
TEST(Restarts, AnMpirunThatWaitsForEverIsEnded) {
  const StandIn mpirun("0",
                       "printf 'MPI_ABORT was invoked on rank 1\\nwith errorcode 74.\\n' >&2; sleep 600");
  const Outcome outcome = Process({local, "-n", "2", "train"}, mpirun.environment()).wait(60);
  EXPECT_EQ(outcome.code, 74);
  EXPECT_NE(outcome.err.find("launch/local: mpirun still waits 10 s after a rank ended the run"),
            std::string::npos)
      << outcome.err;
}

std::string weights_of(const std::filesystem::path& output) {
  const std::filesystem::path checkpoints = output / "checkpoints";
  const std::filesystem::path file = output.string() + ".safetensors";
  EXPECT_EQ(run({program, "export", checkpoints / "latest", "--output", file}).code, 0);
  return read_file(file);
}

// A rank is killed in the middle; the weights are those of a run that nobody disturbed.
TEST(Restarts, AKilledRankChangesNothing) {
  const TemporaryFolder folder;
  make_tiny_store(program, folder / "store");
  const auto training = [&](const std::string& output) {
    std::vector<std::string> words = tiny_training(program, folder / "store", folder / output,
                                                   {"--epochs", "5", "--checkpoint-every", "4steps"});
    words.erase(words.begin());
    words.insert(words.begin(),
                 {local, "-n", "2", "--threads", "1", "--restarts", "2", "--restart-wait", "0"});
    return words;
  };
  const std::vector<std::string> environment = {"CONVOY=" + program};
  EXPECT_EQ(Process(training("straight"), environment).wait().code, 0);
  Process process(training("killed"), environment);
  const std::filesystem::path latest = folder / "killed" / "checkpoints" / "latest";
  for (int tries = 0; tries < 3000 && process.running() && !std::filesystem::exists(latest); ++tries)
    usleep(10'000);
  const std::vector<pid_t> ranks = descendants_named(process.id(), "convoy");
  ASSERT_EQ(ranks.size(), 2U) << process.err();
  ::kill(ranks.back(), SIGKILL);
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(
      outcome.err.find("ended with code 137 (a rank or mpirun was ended by signal 9, KILL). Attempt 2 of 3"),
      std::string::npos)
      << outcome.err;
  EXPECT_EQ(weights_of(folder / "killed"), weights_of(folder / "straight"));
}

}  // namespace
}  // namespace convoy::test
