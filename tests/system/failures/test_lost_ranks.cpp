// Ranks that die, stop or do not belong together: who is named, how soon the others end, what is left.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>

#include "support/program_runs.hpp"
#include "system/failures/disturbed_run.hpp"

namespace convoy::test {
namespace {

const std::string program = CONVOY_PROGRAM;

std::string this_host() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

using LostRanks = DisturbedRun;

// As the kernel does it too, when memory runs out.
TEST_F(LostRanks, AKilledRank) {
  start({.ranks = 2});
  reach(6);
  now();
  ::kill(rank(1), SIGKILL);
  expect_end(137, {"process rank 1", this_host(), "signal 9"});
  expect_recovery(7, "a rank is killed (kill -9, or by the kernel for lack of memory)");
}

TEST_F(LostRanks, RankZeroIsKilled) {
  start({.ranks = 2});
  reach(6);
  now();
  ::kill(rank(0), SIGKILL);
  expect_end(137, {"process rank 0", this_host(), "signal 9"});
  expect_recovery(7, "rank 0 is killed");
}

TEST_F(LostRanks, AStoppedRank) {
  start({.ranks = 2, .options = {"--watchdog-seconds", "3"}});
  reach(6);
  now();
  ::kill(rank(1), SIGSTOP);
  expect_end(71, {"no sign of life for 3 s: rank 1 on " + this_host(), "of step "});
  expect_recovery(7, "a rank stops (kill -STOP, a frozen host)");
}

TEST_F(LostRanks, RankZeroIsStopped) {
  start({.ranks = 2, .options = {"--watchdog-seconds", "3"}});
  reach(6);
  now();
  ::kill(rank(0), SIGSTOP);
  expect_end(71, {"no sign of life for 3 s: rank 0 on " + this_host(), "of step "});
  expect_recovery(7, "rank 0 stops");
}

// Before MPI has connected the ranks, nobody but the rank itself can tell that others are missing.
TEST_F(LostRanks, ARankThatStopsWhileItStarts) {
  start({.ranks = 2, .options = {"--watchdog-seconds", "2"}});
  while (process().running() && descendants_named(process().id(), "convoy").size() < 2) ::usleep(1000);
  now();
  ::kill(rank(1), SIGSTOP);
  expect_end(71, {"rank 0 on " + this_host() + " has waited 7 s for other ranks to start"});
  EXPECT_EQ(steps_done(), 0);
  expect_recovery(0, "a rank stops while it starts");
}

TEST_F(LostRanks, AStormOfSignals) {
  start({.ranks = 2});
  reach(6);
  now();
  const pid_t ranks[] = {rank(0), rank(1)};
  for (bool alive = true; alive; ::usleep(500)) {
    alive = false;
    for (const pid_t one : ranks)
      for (const int signal : {SIGUSR1, SIGTERM}) alive = ::kill(one, signal) == 0 || alive;
  }
  expect_end(75, {"a checkpoint is saved"});
  expect_recovery(0, "thousands of SIGUSR1 and SIGTERM to all ranks");
}

// Two ranks that do not run the same; nothing is written.
class UnequalRanks : public DisturbedRun {
 protected:
  Outcome together(const Words& first, const Words& second) const {
    Words all = on_ranks(1, first);
    for (const char* word : {":", "-n", "1"}) all.emplace_back(word);
    all.insert(all.end(), second.begin(), second.end());
    return convoy::test::run(all, 60);
  }
  Words training(const Words& more = {}, const std::string& by = program) const {
    return tiny_training(by, store(), place("run"), more);
  }
  void expect_refused(const Outcome& outcome, const Words& texts) const {
    EXPECT_EQ(outcome.code, 64) << outcome.err;
    expect_parts(outcome.err, texts);
    EXPECT_FALSE(std::filesystem::exists(place("run")));
  }
};

TEST_F(UnequalRanks, OtherOptions) {
  expect_refused(together(training(), training({"--lr", "0.02"})),
                 {"rank 1", "'lr = 0.01' on rank 0, 'lr = 0.02' there"});
}

TEST_F(UnequalRanks, AnotherCommand) {
  expect_refused(
      together(training(), {program, "verify", store()}),
      {"rank 1 on " + this_host() + " runs convoy verify, but rank 0", "start all ranks with one"});
}

// Another build: the same program, but for a bit of the identifier that the linker wrote into it.
TEST_F(UnequalRanks, AnotherBuild) {
  std::string bytes = read_file(program);
  const std::string note("\4\0\0\0\24\0\0\0\3\0\0\0GNU\0", 16);  // the name's and the value's size, the type
  const auto at = bytes.find(note);
  if (at == std::string::npos) GTEST_SKIP() << "this linker writes no identifier of the build";
  bytes[at + note.size()] = static_cast<char>(bytes[at + note.size()] ^ 1);
  const std::string other = place("convoy");
  std::ofstream(other, std::ios::binary) << bytes;
  std::filesystem::permissions(other, std::filesystem::perms::owner_all);
  expect_refused(together(training(), training({}, other)),
                 {"rank 1 on " + this_host() + " runs another build of Convoy", "install the same build"});
}

}  // namespace
}  // namespace convoy::test
