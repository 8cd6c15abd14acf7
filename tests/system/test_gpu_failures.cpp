// How runs on two GPUs end when something happens to one of them: the exit code that the launcher sees, what
// is said, and that nobody waits for ever.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/clock.hpp"
#include "support/built_file.hpp"
#include "support/process.hpp"
#include "support/program_runs.hpp"

namespace convoy::test {
namespace {

const std::string program = built_file(CONVOY_PROGRAM);

class GpuFailures : public testing::Test {
 protected:
  void SetUp() override {
    if (std::atoi(run({program, "doctor", "--count-gpus"}).out.c_str()) < 2) GTEST_SKIP() << "needs two GPUs";
    make_tiny_store(program, folder_ / "store");
    // What is made at a first use of the device is no part of what the tests below have a limit for.
    const Outcome first = run(on_ranks(2, training({"--steps", "1"})), 240);
    ASSERT_EQ(first.code, 0) << first.err;
    std::filesystem::remove_all(folder_ / "run");
  }

  std::vector<std::string> training(const std::vector<std::string>& more) const {
    std::vector<std::string> command = tiny_training(program, folder_ / "store", folder_ / "run",
                                                     {"--device", "cuda", "--evaluate-every", "0"});
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }

  // Long enough that what happens always comes in the middle. Steps are logged as their results arrive.
  std::vector<std::string> endless() const {
    return training({"--epochs", "100000", "--checkpoint-every", "0", "--watchdog-seconds", "20"});
  }

  bool wait_for_steps(Process& process) const {
    const Stopwatch watch;
    while (watch.seconds() < 120 && process.running()) {
      if (read_file(folder_ / "run" / "metrics.jsonl").find("\"loss\"") != std::string::npos) return true;
      ::usleep(20'000);
    }
    return false;
  }

  TemporaryFolder folder_;
};

// One rank alone meets the image, while the other has enqueued sums that wait for it: its own code and
// message win over the loss of a peer that the other would see.
TEST_F(GpuFailures, ADamagedImageOnOneRankEndsBothWithItsCode) {
  damage_an_image(folder_ / "store");
  const Outcome outcome = run(on_ranks(2, training({"--epochs", "2"})), 120);
  EXPECT_EQ(outcome.code, 65) << outcome.err;
  EXPECT_NE(outcome.err.find("train-00000-"), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.err.find("gradient sum failed"), std::string::npos) << outcome.err;
}

TEST_F(GpuFailures, ABrokenDeviceIsNamed) {
  std::vector<std::string> command = on_ranks(1, endless());
  for (const std::string& word :
       {std::string(":"), std::string("-n"), std::string("1"), std::string("env"),
        "LD_PRELOAD=" + built_file(CONVOY_FAILING_GPU), std::string("FAILING_GPU_AFTER=4")})
    command.push_back(word);
  for (const std::string& word : endless()) command.push_back(word);
  const Outcome outcome = run(command, 120);
  EXPECT_EQ(outcome.code, 71) << outcome.err;
  EXPECT_NE(outcome.err.find("rank 1 on "), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("cudaErrorECCUncorrectable"), std::string::npos) << outcome.err;
}

TEST_F(GpuFailures, AKilledRankEndsTheRun) {
  Process process(on_ranks(2, endless()));
  ASSERT_TRUE(wait_for_steps(process)) << process.err();
  const std::vector<pid_t> ranks = descendants_named(process.id(), "convoy");
  ASSERT_EQ(ranks.size(), 2U);
  ::kill(ranks.back(), SIGKILL);
  const Stopwatch watch;
  const Outcome outcome = process.wait(60);
  EXPECT_NE(outcome.code, 0);
  EXPECT_NE(outcome.code, 75);
  EXPECT_LT(watch.seconds(), 30) << outcome.err;
}

// A rank that lives but does not answer: the watchdog names it and ends both.
TEST_F(GpuFailures, AStoppedRankIsNamed) {
  Process process(on_ranks(2, endless()));
  ASSERT_TRUE(wait_for_steps(process)) << process.err();
  const std::vector<pid_t> ranks = descendants_named(process.id(), "convoy");
  ASSERT_EQ(ranks.size(), 2U);
  ::kill(ranks.back(), SIGSTOP);
  const Outcome outcome = process.wait(100);
  EXPECT_EQ(outcome.code, 71) << outcome.err;
  EXPECT_NE(outcome.err.find(" for 20 s"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace convoy::test
