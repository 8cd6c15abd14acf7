// Runs that are stopped, killed, interrupted: what they leave, which code the launcher sees, how they go on.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include "support/process.hpp"
#include "support/program_runs.hpp"

namespace convoy::test {
namespace {

const std::string program = CONVOY_PROGRAM;
const std::string local = CONVOY_SOURCE "/launch/local";

class Stopping : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TemporaryFolder>();
    make_tiny_store(program, *folder_ / "store");
  }
  static void TearDownTestSuite() { folder_.reset(); }

  // Long enough that a signal always comes in the middle.
  static std::vector<std::string> endless(const std::string& output, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"--epochs", "100000", "--checkpoint-every", "0", "--evaluate-every", "0"});
    return tiny_training(program, *folder_ / "store", *folder_ / output, more);
  }
  static std::filesystem::path checkpoints(const std::string& output) {
    return *folder_ / output / "checkpoints";
  }
  // Metrics appear once the first step is done.
  static bool wait_for_steps(Process& process, const std::string& output) {
    const std::filesystem::path metrics = *folder_ / output / "metrics.jsonl";
    for (int tries = 0; tries < 3000 && process.running(); ++tries) {
      if (read_file(metrics).find("\"step\"") != std::string::npos &&
          read_file(metrics).find("\"loss\"") != std::string::npos)
        return true;
      usleep(20'000);
    }
    return false;
  }
  // Whether a process that is no child of this one is gone (or dead and not yet collected) after at most
  // `seconds`.
  static bool ends_within(pid_t process, int seconds) {
    const std::filesystem::path status = "/proc/" + std::to_string(process) + "/stat";
    for (int tries = 0; tries < seconds * 50; ++tries) {
      const std::string text = read_file(status);
      if (text.empty() || text.find(") Z") != std::string::npos) return true;
      usleep(20'000);
    }
    return false;
  }
  static std::filesystem::path place(const std::string& name) { return *folder_ / name; }

 private:
  inline static std::unique_ptr<TemporaryFolder> folder_;
};

TEST_F(Stopping, AloneBySigintAndOn) {
  Process process(endless("alone"));
  ASSERT_TRUE(wait_for_steps(process, "alone")) << process.err();
  process.signal(SIGINT);
  const Outcome outcome = process.wait(60);
  EXPECT_EQ(outcome.code, 75) << outcome.err;
  ASSERT_TRUE(std::filesystem::exists(checkpoints("alone") / "latest"));
  const std::string name = std::filesystem::read_symlink(checkpoints("alone") / "latest").filename();
  const long step = std::stol(name.substr(5));
  ASSERT_GT(step, 0);

  // It goes on from that step, not from the start.
  const Outcome resumed = run(endless("alone", {"--resume", "auto", "--steps", std::to_string(step + 2)}));
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  const std::string metrics = read_file(place("alone") / "metrics.jsonl");
  EXPECT_NE(metrics.find("\"resume\""), std::string::npos);
  EXPECT_EQ(
      std::stol(std::filesystem::read_symlink(checkpoints("alone") / "latest").filename().string().substr(5)),
      step + 2);
}

// The connection to the terminal is lost.
TEST_F(Stopping, AHangUpStopsUnlessIgnored) {
  Process process(endless("hangup"));
  ASSERT_TRUE(wait_for_steps(process, "hangup")) << process.err();
  process.signal(SIGHUP);
  EXPECT_EQ(process.wait(60).code, 75);
  EXPECT_TRUE(std::filesystem::exists(checkpoints("hangup") / "latest"));

  std::vector<std::string> command = endless("nohup");
  command.insert(command.begin(), "nohup");
  Process ignoring(command);
  ASSERT_TRUE(wait_for_steps(ignoring, "nohup")) << ignoring.err();
  ignoring.signal(SIGHUP);
  usleep(2'000'000);
  EXPECT_TRUE(ignoring.running()) << ignoring.err();
  ignoring.signal(SIGTERM);
  EXPECT_EQ(ignoring.wait(60).code, 75);
}

TEST_F(Stopping, ASecondRunOnTheSameOutputIsRefused) {
  Process process(endless("twice"));
  ASSERT_TRUE(wait_for_steps(process, "twice")) << process.err();
  const Outcome second = run(endless("twice", {"--resume", "auto"}));
  EXPECT_EQ(second.code, 64) << second.err;
  EXPECT_NE(second.err.find("is being written by another process (process " + std::to_string(process.id())),
            std::string::npos)
      << second.err;
  EXPECT_TRUE(process.running());
  process.signal(SIGTERM);
  EXPECT_EQ(process.wait(60).code, 75);
}

TEST_F(Stopping, MpirunPassesSigusr1On) {
  Process process(on_ranks(2, endless("ranks")));
  ASSERT_TRUE(wait_for_steps(process, "ranks")) << process.err();
  process.signal(SIGUSR1);
  const Outcome outcome = process.wait(60);
  EXPECT_EQ(outcome.code, 75) << outcome.err;
  EXPECT_TRUE(std::filesystem::exists(checkpoints("ranks") / "latest"));
}

TEST_F(Stopping, OneSignalledRankStopsAll) {
  Process process(on_ranks(2, endless("one")));
  ASSERT_TRUE(wait_for_steps(process, "one")) << process.err();
  const std::vector<pid_t> ranks = descendants_named(process.id(), "convoy");
  ASSERT_EQ(ranks.size(), 2u);
  ::kill(ranks.back(), SIGUSR1);
  const Outcome outcome = process.wait(60);
  EXPECT_EQ(outcome.code, 75) << outcome.err;
}

TEST_F(Stopping, AKilledRankEndsTheRun) {
  Process process(on_ranks(2, endless("killed")));
  ASSERT_TRUE(wait_for_steps(process, "killed")) << process.err();
  const std::vector<pid_t> ranks = descendants_named(process.id(), "convoy");
  ASSERT_EQ(ranks.size(), 2u);
  ::kill(ranks.back(), SIGKILL);
  const Outcome outcome = process.wait(60);
  EXPECT_NE(outcome.code, 0);
  EXPECT_NE(outcome.code, 75);
  for (const pid_t rank : ranks) EXPECT_TRUE(ends_within(rank, 10)) << "rank still runs";
}

// As a terminal does it: the whole foreground group gets SIGINT, the launcher turns it into the request to
// stop.
TEST_F(Stopping, CtrlCThroughLaunchLocal) {
  std::vector<std::string> command = endless("local");
  command.erase(command.begin());
  command.insert(command.begin(), {local, "-n", "2", "--threads", "1"});
  Process process(command, {"CONVOY=" + program});
  ASSERT_TRUE(wait_for_steps(process, "local")) << process.err();
  ::kill(-process.id(), SIGINT);
  const Outcome outcome = process.wait(60);
  EXPECT_EQ(outcome.code, 75) << outcome.err;
  EXPECT_TRUE(std::filesystem::exists(checkpoints("local") / "latest"));
  EXPECT_NE(outcome.err.find("mpirun -n 2"), std::string::npos) << outcome.err;  // it shows what it starts
}

TEST_F(Stopping, SigtermAndHangUpThroughLaunchLocal) {
  for (const int signal : {SIGTERM, SIGHUP}) {
    const std::string output = "signal" + std::to_string(signal);
    std::vector<std::string> command = endless(output);
    command.erase(command.begin());
    command.insert(command.begin(), {local, "-n", "2", "--threads", "1"});
    Process process(command, {"CONVOY=" + program});
    ASSERT_TRUE(wait_for_steps(process, output)) << process.err();
    process.signal(signal);
    EXPECT_EQ(process.wait(60).code, 75) << "signal " << signal;
  }
}

TEST_F(Stopping, DivergenceIsAnErrorToldOnce) {
  const Outcome outcome = run(on_ranks(2, endless("diverged", {"--lr", "1e30"})));
  EXPECT_EQ(outcome.code, 76);
  EXPECT_EQ(occurrences(outcome.err, "error: training diverged"), 1) << outcome.err;
}

// The reader of "convoy train … | tee log" gets the terminal's Ctrl-C too.
TEST_F(Stopping, CtrlCThroughAPipe) {
  std::string line;
  for (const std::string& word : endless("piped")) line += " '" + word + "'";
  Process process(
      {"bash", "-c", line + " 2>&1 | tee '" + place("log").string() + "'; exit ${PIPESTATUS[0]}"});
  ASSERT_TRUE(wait_for_steps(process, "piped")) << process.out();
  const std::vector<pid_t> runs = descendants_named(process.id(), "convoy");
  const std::vector<pid_t> readers = descendants_named(process.id(), "tee");
  ASSERT_EQ(runs.size(), 1U);
  ASSERT_EQ(readers.size(), 1U);
  ::kill(readers[0], SIGINT);
  ASSERT_TRUE(ends_within(readers[0], 10));
  usleep(200'000);  // many steps are reported to nobody
  ::kill(runs[0], SIGINT);
  EXPECT_EQ(process.wait(60).code, 75);
  EXPECT_TRUE(std::filesystem::exists(checkpoints("piped") / "latest"));
}

// A Ctrl-C in a terminal also ends the reader of "launch/local train … | tee log", and mpirun would abort at
// its next lines.
TEST_F(Stopping, ThroughLaunchLocalWithoutAReader) {
  std::vector<std::string> command = endless("unread", {"--epochs", "10"});
  command.erase(command.begin());
  std::string line = "CONVOY='" + program + "' '" + local + "' -n 2 --threads 1";
  for (const std::string& word : command) line += " '" + word + "'";
  const Outcome outcome = run({"bash", "-c", line + " 2>&1 | head -n 1; exit ${PIPESTATUS[0]}"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(std::filesystem::exists(checkpoints("unread") / "step-000000040.h5"));
  // A command whose output is its result fails when it is lost, behind mpirun too.
  const std::string verify = "CONVOY='" + program + "' '" + local + "' -n 2 --threads 1 verify '" +
                             place("store").string() + "' > /dev/full";
  EXPECT_EQ(run({"bash", "-c", verify}).code, 74);
}

}  // namespace
}  // namespace convoy::test
