#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "comm/rank_report.hpp"

namespace convoy::test {
namespace {

struct Outcome {
  int code = 0;
  std::string text;  // of both streams
  double seconds = 0;
};

// Runs watchdog_child under mpirun.
Outcome run_child(int ranks, const std::string& arguments) {
  const std::string command = std::string("timeout 60 ") + CONVOY_MPIEXEC +
                              " --allow-run-as-root --oversubscribe --bind-to none -n " +
                              std::to_string(ranks) + " " + CONVOY_WATCHDOG_CHILD + " " + arguments + " 2>&1";
  Outcome outcome;
  const Stopwatch watch;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return {-1, "popen failed", 0};
  char buffer[4096];
  while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, pipe))
    outcome.text.append(buffer, count);
  const int status = ::pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  outcome.seconds = watch.seconds();
  return outcome;
}

void expect_text(const Outcome& outcome, const std::string& text) {
  EXPECT_NE(outcome.text.find(text), std::string::npos) << "'" << text << "' is missing in:\n"
                                                        << outcome.text;
}

TEST(Watchdog, LetsAHealthyRunEnd) {
  const Outcome outcome = run_child(3, "nothing 0");
  EXPECT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_EQ(outcome.text, "all done\n");
}

TEST(Watchdog, WaitsForASlowRankThatBeats) {
  for (const char* how : {"slow 1", "work 0"}) {
    const Outcome outcome = run_child(2, how);
    EXPECT_EQ(outcome.code, 0) << outcome.text;
  }
}

TEST(Watchdog, RanksMayLeaveAtDifferentTimes) {
  for (const char* first : {"leave 0", "leave 1"}) {
    const Outcome outcome = run_child(3, first);
    EXPECT_EQ(outcome.code, 0) << outcome.text;
  }
}

TEST(Watchdog, NamesTheRankThatSleeps) {
  for (const int victim : {0, 1}) {
    const Outcome outcome = run_child(3, "sleep " + std::to_string(victim));
    EXPECT_EQ(outcome.code, 71) << outcome.text;
    expect_text(outcome, "no progress for 2 s, waiting for: rank " + std::to_string(victim) + " on ");
    expect_text(outcome, "(phase input of step 20 for ");
    expect_text(outcome, "; the others: rank " + std::to_string(victim == 0 ? 1 : 0) + " on ");
    expect_text(outcome, "(phase reduce of step 20 for ");
    EXPECT_LT(outcome.seconds, 30);  // not the 60 of the sleep
  }
}

// A stopped process answers nothing; rank 0 itself is missed by the others.
TEST(Watchdog, NamesTheRankThatIsStopped) {
  for (const int victim : {1, 0}) {
    const Outcome outcome = run_child(2, "stop " + std::to_string(victim));
    EXPECT_EQ(outcome.code, 71) << outcome.text;
    expect_text(outcome, "no sign of life for 2 s: rank " + std::to_string(victim) + " on ");
    expect_text(outcome, "(last heard of ");
    EXPECT_LT(outcome.seconds, 30);
  }
}

TEST(Watchdog, WatchesASingleRank) {
  const Outcome outcome = run_child(1, "sleep 0");
  EXPECT_EQ(outcome.code, 71) << outcome.text;
  expect_text(outcome, "no progress for 2 s, waiting for: rank 0 on ");
}

// Another error on one rank keeps its own exit code and message: neither watchdog nor finalising waits.
TEST(Watchdog, DoesNotHideOtherErrors) {
  for (const int victim : {0, 1}) {
    const Outcome outcome = run_child(2, "throw " + std::to_string(victim));
    EXPECT_EQ(outcome.code, 70) << outcome.text;
    expect_text(outcome, "caught on rank " + std::to_string(victim) + ": something else is wrong");
    EXPECT_EQ(outcome.text.find("no progress"), std::string::npos) << outcome.text;
  }
}

TEST(Watchdog, EndsTheGroupWhenTheTransportFails) {
  for (const int victim : {0, 1}) {
    const Outcome outcome = run_child(2, "transport " + std::to_string(victim));
    EXPECT_EQ(outcome.code, 71) << outcome.text;
    expect_text(outcome, "the gradient sum failed on rank " + std::to_string(victim) + " on ");
    expect_text(outcome, "(phase input of step 20): remote process exited");
    expect_text(outcome, "transport given up");
    EXPECT_EQ(outcome.text.find("no progress"), std::string::npos) << outcome.text;
    EXPECT_LT(outcome.seconds, 9);  // asked every second, believed at the second time
  }
}

// The end of a stuck group gives the transport up too, so that nothing on a device waits for a lost peer.
TEST(Watchdog, GivesTheTransportUpBeforeItEndsAStuckGroup) {
  const Outcome outcome = run_child(2, "sleep 1");
  EXPECT_EQ(outcome.code, 71) << outcome.text;
  expect_text(outcome, "transport given up");
}

// A failure that a rank's own error has caused does not take its place.
TEST(Watchdog, LeavesARankTimeToTellItsOwnError) {
  const Outcome outcome = run_child(2, "transport-and-throw 1");
  EXPECT_EQ(outcome.code, 70) << outcome.text;
  expect_text(outcome, "caught on rank 1: something else is wrong");
  EXPECT_EQ(outcome.text.find("gradient sum failed"), std::string::npos) << outcome.text;
}

RankView view(std::int64_t step, std::int64_t beats, double age, double silent = 0) {
  RankView result;
  result.host = "host";
  result.report.step = step;
  result.report.beats_of_step = beats;
  result.report.age = age;
  result.silent = silent;
  return result;
}

TEST(RankReport, OneBeatingRankIsEnough) {
  EXPECT_EQ(judge(std::vector{view(5, 1, 100), view(5, 2, 100), view(5, 1, 3)}, 10), "");
  EXPECT_EQ(judge(std::vector{view(5, 1, 9), view(5, 2, 9)}, 10), "");
}

TEST(RankReport, NamesWhoIsBehind) {
  EXPECT_EQ(judge(std::vector{view(5, 2, 10), view(5, 1, 11), view(4, 7, 12)}, 10),
            "no progress for 10 s, waiting for: rank 2 on host (phase start of step 4 for 12 s); the others: "
            "rank 0 "
            "on host (phase start of step 5 for 10 s), rank 1 on host (phase start of step 5 for 11 s)");
  EXPECT_EQ(
      judge(std::vector{view(5, 2, 10), view(5, 2, 11)}, 10),
      "no progress for 10 s, all ranks are stuck: rank 0 on host (phase start of step 5 for 10 s), rank 1 on "
      "host (phase start of step 5 for 11 s)");
}

TEST(RankReport, ASilentRankIsGone) {
  EXPECT_EQ(judge(std::vector{view(5, 2, 0), view(5, 1, 1, 10)}, 10),
            "no sign of life for 10 s: rank 1 on host (last heard of 10 s ago in phase start of step 5); the "
            "others: rank 0 on host (phase start of step 5 for 0 s)");
}

TEST(RankReport, RanksThatLeftDoNotCount) {
  auto left = view(5, 2, 100, 100);
  left.report.leaving = 1;
  EXPECT_EQ(judge(std::vector{left, left}, 10), "");
  EXPECT_EQ(judge(std::vector{left, view(5, 2, 1)}, 10), "");
  EXPECT_EQ(judge(std::vector{left, view(5, 2, 10)}, 10),
            "no progress for 10 s, waiting for: rank 1 on host (phase start of step 5 for 10 s)");
}

TEST(RankReport, ManyRanksGiveAShortSentence) {
  const std::vector<RankView> views(1000, view(5, 2, 10));
  const std::string text = judge(views, 10);
  EXPECT_LT(text.size(), 600u);
  EXPECT_NE(text.find("rank 7 "), std::string::npos);
  EXPECT_EQ(text.substr(text.size() - 13), " and 992 more");
}

}  // namespace
}  // namespace convoy::test
