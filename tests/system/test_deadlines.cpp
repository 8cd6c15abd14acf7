// Runs with --deadline through the real program: they stop in time with a checkpoint, and what Slurm says
// counts.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "support/process.hpp"
#include "support/program_runs.hpp"

namespace convoy::test {
namespace {

const std::string program = CONVOY_PROGRAM;

class Deadlines : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TemporaryFolder>();
    make_tiny_store(program, *folder_ / "store");
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static std::vector<std::string> endless(const std::string& output, const std::string& deadline) {
    return tiny_training(program, *folder_ / "store", *folder_ / output,
                         {"--epochs", "100000", "--checkpoint-every", "0", "--evaluate-every", "0",
                          "--log-every", "100", "--lr", "0.000001", "--deadline", deadline});
  }
  static Outcome one_epoch(const std::string& output, std::vector<std::string> more) {
    more.insert(more.end(), {"--epochs", "1"});
    return run(tiny_training(program, *folder_ / "store", *folder_ / output, more));
  }
  static bool has_checkpoint(const std::string& output) {
    return std::filesystem::exists(*folder_ / output / "checkpoints" / "latest");
  }
  // A program `squeue`, and the environment in which it is found, of job 77.
  static std::vector<std::string> in_a_job(const std::string& script) {
    const std::filesystem::path folder = *folder_ / "slurm";
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "squeue") << "#!/bin/sh\n" << script << "\n";
    std::filesystem::permissions(folder / "squeue", std::filesystem::perms::owner_all);
    return {"PATH=" + folder.string() + ":" + std::getenv("PATH"), "SLURM_JOB_ID=77"};
  }
  static std::string place(const std::string& name) { return *folder_ / name; }
  static void write_atomically(const std::filesystem::path& file, const std::string& text) {
    std::ofstream(file.string() + ".new") << text << "\n";
    std::filesystem::rename(file.string() + ".new", file);
  }
  static std::string after_seconds(int seconds) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now).count() + seconds);
  }

 private:
  inline static std::unique_ptr<TemporaryFolder> folder_;
};

TEST_F(Deadlines, AllRanksStopBeforeIt) {
  Process process(on_ranks(2, endless("relative", "8s")));
  const Outcome outcome = process.wait(60);
  EXPECT_EQ(outcome.code, 75) << outcome.err;
  EXPECT_NE(outcome.err.find("s before --deadline 8s; a checkpoint is saved"), std::string::npos)
      << outcome.err;
  EXPECT_TRUE(has_checkpoint("relative"));
}

TEST_F(Deadlines, OneThatIsPastIsRefused) {
  Process process(on_ranks(2, endless("past", "2020-01-01T00:00")));
  const Outcome outcome = process.wait(60);
  EXPECT_EQ(outcome.code, 64) << outcome.err;
  EXPECT_EQ(occurrences(outcome.err, "--deadline 2020-01-01T00:00 is past"), 1) << outcome.err;
}

// A chain of jobs with one time for all ends well when nothing is left to do.
TEST_F(Deadlines, OneThatIsPastIsNoneOfACompleteRun) {
  ASSERT_EQ(one_epoch("complete", {}).code, 0);
  const Outcome again = one_epoch("complete", {"--resume", "auto", "--deadline", "2020-01-01T00:00"});
  EXPECT_EQ(again.code, 0) << again.err;
}

TEST_F(Deadlines, AutoAsksSlurm) {
  Process process(endless("asked", "auto"), in_a_job("echo " + after_seconds(7)));
  const Outcome outcome = process.wait(60);
  EXPECT_EQ(outcome.code, 75) << outcome.err;
  EXPECT_NE(outcome.err.find("Slurm job 77 ends at "), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("s before the end of Slurm job 77 ("), std::string::npos) << outcome.err;
  EXPECT_TRUE(has_checkpoint("asked"));
}

// The administrator shortens the job's limit (scontrol update TimeLimit): the next answer counts.
TEST_F(Deadlines, AutoFollowsALimitThatChanges) {
  const std::filesystem::path answer = std::filesystem::path(place("answer"));
  std::ofstream(answer) << after_seconds(60) << "\n";
  Process process(endless("changed", "auto"), in_a_job("cat " + answer.string()));
  ASSERT_TRUE(process.wait_for_output("Slurm job 77 ends at ")) << process.err();
  write_atomically(answer, after_seconds(23));
  const Outcome outcome = process.wait(50);  // seconds: before the first limit
  EXPECT_EQ(outcome.code, 75) << outcome.err;
  EXPECT_NE(outcome.err.find("Slurm job 77 now ends at "), std::string::npos) << outcome.err;
  EXPECT_TRUE(has_checkpoint("changed"));
}

// Slurm that does not answer is no reason to end: told once, and a signal still stops the run.
TEST_F(Deadlines, AutoWithoutAnAnswerOrAJob) {
  Process unanswered(endless("unanswered", "auto"), in_a_job("echo 'no controller' >&2; exit 1"));
  ASSERT_TRUE(unanswered.wait_for_output(
      "the end of Slurm job 77 is unknown: squeue failed with exit code 1: no controller"))
      << unanswered.err();
  unanswered.signal(SIGUSR1);
  EXPECT_EQ(unanswered.wait(60).code, 75);
  EXPECT_NE(unanswered.err().find("stopped on request"), std::string::npos) << unanswered.err();

  Process outside(endless("outside", "auto"));
  ASSERT_TRUE(outside.wait_for_output("this is no job of Slurm, so the run has no deadline"))
      << outside.err();
  outside.signal(SIGUSR1);
  EXPECT_EQ(outside.wait(60).code, 75);
}

}  // namespace
}  // namespace convoy::test
