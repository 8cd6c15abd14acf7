// A small program for test_watchdog.cpp, run under mpirun: all ranks walk through steps with a heartbeat a
// phase and a barrier a step, until something happens to one of them. Arguments: what happens, to which rank.
#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>

#include "base/clock.hpp"
#include "comm/collective.hpp"
#include "comm/watchdog.hpp"

namespace {

using namespace std::chrono_literals;

constexpr double limit = 1.6;  // seconds; a step takes about a hundredth of it

// A transport that notices a failure when it is told to, and says when it is given up.
class Transport final : public convoy::Collective {
 public:
  std::string_view name() const override { return "test"; }
  void start(std::span<float>) override {}
  void progress() override {}
  void finish_next() override {}
  std::string failure() override { return failed_ ? "remote process exited" : ""; }
  void abort() override { fmt::print(stderr, "transport given up\n"); }
  void fail() { failed_ = true; }

 private:
  std::atomic<bool> failed_{false};
};

void misfortune(const std::string& what) {
  if (what == "sleep") std::this_thread::sleep_for(60s);
  if (what == "stop") std::raise(SIGSTOP);
  if (what == "throw") throw std::runtime_error("something else is wrong");
}

int run(convoy::Communicator& communicator, const std::string& what, int victim) {
  const convoy::Log log(communicator.rank(), communicator.size());
  convoy::Watchdog watchdog(communicator, log, limit);
  Transport transport;
  const convoy::Watchdog::Watch watch(watchdog, transport);
  for (int step = 0; step < 30; ++step) {
    watchdog.beat("input", step);
    std::this_thread::sleep_for(5ms);
    if (step == 20 && communicator.rank() == victim) {
      misfortune(what);
      if (what.starts_with("transport")) transport.fail();
      if (what == "transport-and-throw") throw std::runtime_error("something else is wrong");
      // All ranks go on while one transport has failed: nothing but the watchdog ends them.
      for (int i = 0; what == "transport" && i < 1000; ++i) {
        std::this_thread::sleep_for(10ms);
        watchdog.beat("input", step);
      }
    }
    watchdog.beat("forward", step);
    // One rank is slow but alive, for longer than the limit: the others wait for it.
    if ((what == "slow" || what == "work") && step == 10 && communicator.rank() == victim) {
      for (int i = 0; i < 25; ++i) {
        std::this_thread::sleep_for(80ms);
        if (what == "slow") {
          watchdog.beat("forward", step);
        } else {
          watchdog.still_working();
        }
      }
    }
    watchdog.beat("reduce", step);
    communicator.barrier();
  }
  // Ranks leave at different times, by less than the limit.
  if (what == "leave" && communicator.rank() != victim) std::this_thread::sleep_for(600ms);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  convoy::Communicator communicator(&argc, &argv);
  try {
    const int code = run(communicator, argc > 1 ? argv[1] : "", argc > 2 ? std::atoi(argv[2]) : 0);
    if (communicator.rank() == 0) fmt::print("all done\n");
    return code;
  } catch (const std::exception& error) {
    fmt::print(stderr, "caught on rank {}: {}\n", communicator.rank(), error.what());
    communicator.abort(convoy::ExitCode::bug);
  }
}
