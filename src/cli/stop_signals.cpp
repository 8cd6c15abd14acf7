#include "cli/stop_signals.hpp"

#include <csignal>
#include <ctime>

namespace convoy {
namespace {

sigset_t stop_set() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGUSR1, SIGINT, SIGTERM}) sigaddset(&set, signal);
  // Under nohup a terminal may go: a signal that is ignored would come all the same once it is waited for.
  struct sigaction hang_up {};
  if (sigaction(SIGHUP, nullptr, &hang_up) == 0 && hang_up.sa_handler != SIG_IGN) sigaddset(&set, SIGHUP);
  return set;
}

// Ends the process as if SIGINT had never been caught, so that shells see what happened.
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
  const sigset_t set = stop_set();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  listener_ = std::thread([this] { listen(); });
}

StopSignals::~StopSignals() {
  ending_ = true;
  listener_.join();
}

void StopSignals::listen() {
  const sigset_t set = stop_set();
  const timespec patience{0, 100'000'000};  // how long the destructor may have to wait
  while (!ending_) {
    const int signal = sigtimedwait(&set, nullptr, &patience);
    if (signal < 0) continue;
    if (signal == SIGINT && requested_) die_of_interrupt();
    requested_ = true;
  }
}

}  // namespace convoy
