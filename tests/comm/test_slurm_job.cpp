// The Slurm job of this process by its variables, and the question for its end, which a script answers here.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "comm/slurm_job.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

using Variables = std::map<std::string, std::string>;

std::optional<SlurmJob> job_of(const Variables& variables) {
  return find_slurm_job([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(SlurmJob, IsNamedAsSlurmsCommandsTakeIt) {
  EXPECT_FALSE(job_of({}));
  EXPECT_FALSE(job_of({{"SLURM_JOB_ID", ""}}));
  EXPECT_EQ(job_of({{"SLURM_JOB_ID", "12"}})->id, "12");
  // The last task of an array has the array's own number.
  EXPECT_EQ(job_of({{"SLURM_JOB_ID", "12"}, {"SLURM_ARRAY_JOB_ID", "12"}, {"SLURM_ARRAY_TASK_ID", "3"}})->id,
            "12_3");
}

TEST(SlurmJob, NewerVersionsSetItsEnd) {
  EXPECT_FALSE(job_of({{"SLURM_JOB_ID", "12"}})->end);
  EXPECT_EQ(job_of({{"SLURM_JOB_ID", "12"}, {"SLURM_JOB_END_TIME", "1795879597"}})->end, 1795879597);
  EXPECT_FALSE(job_of({{"SLURM_JOB_ID", "12"}, {"SLURM_JOB_END_TIME", "soon"}})->end);
}

TEST(SlurmJob, AnswersOfSqueue) {
  EXPECT_EQ(read_squeue("1795879597\n", 0).end, 1795879597);
  EXPECT_FALSE(read_squeue("N/A\n", 0).end);
  EXPECT_EQ(read_squeue("N/A\n", 0).problem, "");
  EXPECT_EQ(read_squeue("2026-11-28T15:24:37\n", 0).problem,
            "squeue answered '2026-11-28T15:24:37' instead of a time");
  EXPECT_EQ(read_squeue("\nslurm_load_jobs error: Invalid job id\nmore\n", 1).problem,
            "squeue failed with exit code 1: slurm_load_jobs error: Invalid job id");
  EXPECT_EQ(read_squeue("", 2).problem, "squeue failed with exit code 2");
}

// A program `squeue` for the time of a test.
class Question : public testing::Test {
 protected:
  Question() : path_(::getenv("PATH")) {
    ::setenv("PATH", (folder_.path().string() + ":" + path_).c_str(), 1);
  }
  ~Question() override { ::setenv("PATH", path_.c_str(), 1); }

  void answer_by(const std::string& script) const {
    const std::filesystem::path program = folder_ / "squeue";
    std::ofstream(program) << "#!/bin/sh\n" << script << "\n";
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  }
  static SlurmAnswer wait_for(SlurmQuestion& question) {
    for (int tries = 0; tries < 1000; ++tries) {
      if (const auto answer = question.answer()) return *answer;
      ::usleep(10'000);
    }
    return {.end = {}, .problem = "no answer"};
  }

  TemporaryFolder folder_;
  std::string path_;
};

TEST_F(Question, IsAskedForOneJobInSecondsAfter1970) {
  answer_by(R"([ "$*" = "-h -j 12_3 -o %e" ] && [ "$SLURM_TIME_FORMAT" = %s ] && echo 1795879597)");
  ::setenv("SLURM_TIME_FORMAT", "relative", 1);  // the user's own
  SlurmQuestion question("12_3");
  ::unsetenv("SLURM_TIME_FORMAT");
  const SlurmAnswer answer = wait_for(question);
  EXPECT_EQ(answer.end, 1795879597) << answer.problem;
}

TEST_F(Question, TellsWhySqueueFails) {
  answer_by("echo 'squeue: error: no controller' >&2; exit 1");
  SlurmQuestion question("12");
  EXPECT_EQ(wait_for(question).problem, "squeue failed with exit code 1: squeue: error: no controller");
  ::setenv("PATH", (folder_ / "nothing").c_str(), 1);
  SlurmQuestion unanswered("12");
  EXPECT_EQ(wait_for(unanswered).problem, "squeue could not be started: No such file or directory");
}

TEST_F(Question, DoesNotWaitForASlowAnswerAndEndsItWithItself) {
  answer_by("echo $$ >\"$(dirname \"$0\")/process\"; exec sleep 1000");
  std::string process;
  {
    SlurmQuestion question("12");
    for (int tries = 0; tries < 1000 && process.empty(); ++tries) {
      EXPECT_FALSE(question.answer());
      ::usleep(10'000);
      std::ifstream(folder_ / "process") >> process;
    }
  }
  ASSERT_FALSE(process.empty());
  EXPECT_FALSE(std::filesystem::exists("/proc/" + process));
}

}  // namespace
}  // namespace convoy::test
