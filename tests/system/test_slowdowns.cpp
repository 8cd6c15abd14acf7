// Runs that something slows down tell what it is: a rank that is stopped again and again, a store whose
// images are far too large for its network.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "support/process.hpp"
#include "support/program_runs.hpp"

namespace convoy::test {
namespace {

using nlohmann::json;

const std::string program = CONVOY_PROGRAM;

// The text of the first event of this kind in a run's metrics; empty if there is none yet.
std::string event_in(const std::filesystem::path& run, const std::string& what) {
  if (!std::filesystem::exists(run / "metrics.jsonl")) return {};
  std::istringstream lines(read_file(run / "metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const json object = json::parse(line, nullptr, false);
    if (object.is_object() && object["kind"] == "event" && object["what"] == what) return object["text"];
  }
  return {};
}

TEST(Slowdowns, ARankThatIsStoppedAgainAndAgainIsNamed) {
  const TemporaryFolder folder;
  make_tiny_store(program, folder / "store");
  Process process(
      on_ranks(2, tiny_training(program, folder / "store", folder / "run", {"--epochs", "1000000"})));
  ASSERT_TRUE(process.wait_for_output("ready after")) << process.err();
  const pid_t slow = process_of_rank(process.id(), 1);
  using namespace std::chrono_literals;
  const auto end = std::chrono::steady_clock::now() + 90s;
  while (event_in(folder / "run", "straggler").empty() && std::chrono::steady_clock::now() < end) {
    kill(slow, SIGSTOP);
    std::this_thread::sleep_for(60ms);
    kill(slow, SIGCONT);
    std::this_thread::sleep_for(20ms);
  }
  char host[256] = {};
  gethostname(host, sizeof host - 1);
  const std::string text = event_in(folder / "run", "straggler");
  EXPECT_TRUE(text.starts_with("rank 1 on " + std::string(host) + " is ")) << text;
  EXPECT_TRUE(process.wait_for_output("warning: rank 1 on")) << process.err();
}

TEST(Slowdowns, ARunThatWaitsForItsInputHearsTheRemedy) {
  const TemporaryFolder folder;
  make_tiny_store(program, folder / "store");
  Process process(tiny_training(program, folder / "store", folder / "run", {"--epochs", "1000000"}),
                  {preloading(CONVOY_SLOW_READS), "SLOW_READS_MILLISECONDS=30"});
  using namespace std::chrono_literals;
  const auto end = std::chrono::steady_clock::now() + 90s;
  while (event_in(folder / "run", "starved").empty() && std::chrono::steady_clock::now() < end &&
         process.running())
    std::this_thread::sleep_for(200ms);
  const std::string text = event_in(folder / "run", "starved");
  EXPECT_TRUE(text.starts_with("input waits ")) << text << process.err();
  EXPECT_NE(text.find("raise --workers (now 1)"), std::string::npos) << text;
  EXPECT_TRUE(process.wait_for_output("warning: input waits")) << process.err();
}

}  // namespace
}  // namespace convoy::test
