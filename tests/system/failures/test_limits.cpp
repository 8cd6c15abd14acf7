// What the machine lacks for a while (memory, descriptors, a reader of the output), and a clock that is set.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "report/event_reader.hpp"
#include "system/failures/disturbed_run.hpp"

namespace convoy::test {
namespace {

using nlohmann::json;

std::vector<json> lines_of(const std::filesystem::path& path) {
  std::vector<json> lines;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line.substr(line.find('{'))));
  return lines;
}

class Limits : public DisturbedRun {
 protected:
  void limit(__rlimit_resource what, rlim_t most) {
    rlimit both{};
    ::prlimit(process().id(), what, nullptr, &both);
    both.rlim_cur = most;
    ASSERT_EQ(::prlimit(process().id(), what, &both, nullptr), 0);
  }
  // Lets the program take `bytes` more than it has, until it says `text`. The limit falls with the memory in
  // use, for a copy may be there when it is first set.
  void leave_memory(rlim_t bytes, const std::string& text) {
    rlim_t most = RLIM_INFINITY;
    for (int tries = 0; tries < 600; ++tries) {
      most = std::min(most, bytes_used() + bytes);
      limit(RLIMIT_AS, most);
      if (process().wait_for_output(text, 0.05)) return;
    }
  }
  // Otherwise the memory of an earlier copy would serve for the next.
  const RunStart copies_mapped_anew{.environment = {"MALLOC_MMAP_THRESHOLD_=1000000"}};

  // Of address space.
  rlim_t bytes_used() {
    const std::string status = read_file(fmt::format("/proc/{}/status", process().id()));
    return 1024 * std::stoull(status.substr(status.find("VmSize:") + 7));
  }
};

// A checkpoint needs a copy of the weights and of the optimiser's state, 9.6 MB here; comparing weights needs
// half of that.
TEST_F(Limits, NoMemoryForACheckpoint) {
  start(copies_mapped_anew);
  reach(5);
  now();
  const std::string text = "no room for a copy of the weights); training continues and tries again";
  leave_memory(7'000'000, text);
  expect_message(text);
  limit(RLIMIT_AS, RLIM_INFINITY);
  process().signal(SIGUSR1);
  expect_end(75);
  expect_recovery(0, "no memory for the copy that a checkpoint is written from");
}

TEST_F(Limits, NoMemoryForTraining) {
  start(copies_mapped_anew);
  reach(6);
  now();
  leave_memory(1'000'000, "out of memory: ");
  expect_end(71, {"out of memory: ", "--resume auto: it goes on from step "});
  expect_recovery(20, "no memory for training");
}

TEST_F(Limits, NoDescriptorsForACheckpoint) {
  start();
  reach(10);  // all shards are open
  now();
  limit(RLIMIT_NOFILE, 3);
  expect_message("Too many open files); training continues and tries again");
  limit(RLIMIT_NOFILE, 1000);
  process().signal(SIGUSR1);
  expect_end(75);
  expect_recovery(0, "no descriptors for a checkpoint");
}

// Such as a pager on its first page, or a terminal after Ctrl-S: nothing of the run may wait for the reader,
// nor the watchdog.
TEST_F(Limits, NobodyReadsTheOutput) {
  const std::string pipe = place("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const int reader = ::open(pipe.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  const std::string page(4096, '\n');
  while (::write(reader, page.data(), page.size()) > 0) {  // until the pipe is full
  }
  start({.options = {"--watchdog-seconds", "2"},
         .before = {"sh", "-c", "exec \"$@\" >" + pipe + " 2>&1", "sh"}});
  reach(10);
  process().signal(SIGUSR1);
  now();
  expect_end(75);
  ::close(reader);
  expect_recovery(0, "nobody reads the output");
}

// The system's clock is set back by an hour and then forward by two.
TEST_F(Limits, TheClockIsSet) {
  const std::string shift = place("shift");
  const auto set_clock = [&](int seconds) { std::ofstream(shift) << seconds; };
  set_clock(0);
  start({.options = {"--tensorboard", "--mllog", "--watchdog-seconds", "3"},
         .environment = {preloading(CONVOY_SHIFTED_CLOCK), "SHIFTED_CLOCK_FILE=" + shift}});
  reach(5);
  now();
  for (const int seconds : {-3600, 3600}) {
    set_clock(seconds);
    reach(steps_done() + 5);
  }
  process().signal(SIGUSR1);
  expect_end(75);
  double before = 0;
  for (const json& line : lines_of(output() / "metrics.jsonl")) {
    if (line["kind"] != "step") continue;
    EXPECT_GT(line["images_per_second"], 0);
    EXPECT_LT(line["images_per_second"], 1e6);
    for (const auto& [phase, seconds] : line["seconds"].items()) EXPECT_GE(seconds, 0) << phase;
  }
  for (const json& line : lines_of(output() / "mllog.txt")) {
    EXPECT_GE(line["time_ms"], before);
    before = line["time_ms"];
  }
  before = 0;
  for (const ReadEvent& event : read_events(output())) {
    EXPECT_GE(event.wall_time, before);
    before = event.wall_time;
  }
  EXPECT_EQ(process().out().find("ETA -"), std::string::npos) << process().out();
  expect_recovery(0, "the clock is set back by an hour, then forward by two");
}

}  // namespace
}  // namespace convoy::test
