// A request to stop reaches the flag whichever thread the kernel hands it to.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

#include "cli/stop_signals.hpp"

namespace convoy {
namespace {

using namespace std::chrono_literals;

bool is_requested_soon(const StopSignals& signals) {
  for (int waited = 0; waited < 100 && !signals.requested(); ++waited) std::this_thread::sleep_for(50ms);
  return signals.requested();
}

// A thread of a library that has every signal unblocked, as a thread of CUDA's driver has.
class UnblockedThread {
 public:
  UnblockedThread()
      : thread_([this](const std::stop_token& stop) {
          sigset_t none;
          sigemptyset(&none);
          pthread_sigmask(SIG_SETMASK, &none, nullptr);
          ready_ = true;
          while (!stop.stop_requested()) std::this_thread::sleep_for(5ms);
        }) {
    while (!ready_) std::this_thread::sleep_for(1ms);
  }

  void take(int signal) { pthread_kill(thread_.native_handle(), signal); }

 private:
  std::atomic<bool> ready_ = false;
  std::jthread thread_;
};

class StopSignalsTest : public testing::TestWithParam<int> {};

TEST_P(StopSignalsTest, OfTheProcess) {
  std::signal(GetParam(), SIG_DFL);  // nohup ignores SIGHUP
  const StopSignals signals;
  EXPECT_FALSE(signals.requested());
  kill(getpid(), GetParam());
  EXPECT_TRUE(is_requested_soon(signals));
}

TEST_P(StopSignalsTest, TakenByAThreadThatUnblocksThem) {
  std::signal(GetParam(), SIG_DFL);
  const StopSignals signals;
  UnblockedThread library;
  EXPECT_FALSE(signals.requested());
  library.take(GetParam());
  EXPECT_TRUE(is_requested_soon(signals));
}

INSTANTIATE_TEST_SUITE_P(Each, StopSignalsTest, testing::Values(SIGUSR1, SIGINT, SIGTERM, SIGHUP));

TEST(StopSignals, ASecondInterruptEndsTheProcess) {
  const auto interrupted_twice = [] {
    const StopSignals signals;
    UnblockedThread library;
    library.take(SIGINT);
    if (is_requested_soon(signals)) library.take(SIGINT);
    std::this_thread::sleep_for(10s);
  };
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(interrupted_twice(), testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace convoy
