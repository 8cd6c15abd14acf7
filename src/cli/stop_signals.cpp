#include "cli/stop_signals.hpp"

#include <csignal>
#include <ctime>

namespace convoy {
namespace {

// The last signal that a library's thread received, 0 if there is none. A handler can access only static
// storage.
std::atomic<int> taken_elsewhere = 0;
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void take_elsewhere(int signal) {
  taken_elsewhere = signal;
}

std::vector<int> stop_signals() {
  std::vector<int> signals = {SIGUSR1, SIGINT, SIGTERM};
  // Under nohup the terminal may disappear: sigtimedwait would receive the signal even though it is ignored.
  struct sigaction hang_up {};
  if (sigaction(SIGHUP, nullptr, &hang_up) == 0 && hang_up.sa_handler != SIG_IGN) signals.push_back(SIGHUP);
  return signals;
}

sigset_t set_of(const std::vector<int>& signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  return set;
}

// Ends the process as if SIGINT had never been caught, so that shells detect the interrupt.
void die_of_interrupt() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  std::signal(SIGINT, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  std::raise(SIGINT);
}

}  // namespace

StopSignals::StopSignals() {
  const std::vector<int> signals = stop_signals();
  const sigset_t set = set_of(signals);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  struct sigaction take {};
  take.sa_handler = take_elsewhere;
  take.sa_flags = SA_RESTART;
  for (const int signal : signals) {
    Replaced& replaced = replaced_.emplace_back(Replaced{.signal = signal, .action = {}});
    sigaction(signal, &take, &replaced.action);
  }
  listener_ = std::thread([this, set] { listen(set); });
}

StopSignals::~StopSignals() {
  ending_ = true;
  listener_.join();
  for (const Replaced& replaced : replaced_) sigaction(replaced.signal, &replaced.action, nullptr);
}

void StopSignals::listen(const sigset_t& set) {
  const timespec patience{0, 100'000'000};  // maximum wait of the destructor
  while (!ending_) {
    int signal = sigtimedwait(&set, nullptr, &patience);
    if (signal < 0) signal = taken_elsewhere.exchange(0);
    if (signal <= 0) continue;
    if (signal == SIGINT && requested_) die_of_interrupt();
    requested_ = true;
  }
}

}  // namespace convoy
