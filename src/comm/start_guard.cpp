#include "comm/start_guard.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/error.hpp"
#include "base/host_name.hpp"

namespace convoy {

StartGuard::StartGuard(double seconds, int rank) {
  if (seconds <= 0) return;
  thread_ = std::thread([this, seconds, rank] {
    std::unique_lock lock(mutex_);
    if (ended_.wait_for(lock, std::chrono::duration<double>(seconds), [this] { return started_; })) return;
    const std::string text = fmt::format(
        "convoy: rank {} on {} has waited {:.0f} s for other ranks to start: see whether every host is up, "
        "reaches the others over the network, and runs the program\n",
        rank, host_name(), seconds);
    std::fputs(text.c_str(), stderr);
    std::_Exit(static_cast<int>(ExitCode::device));
  });
}

StartGuard::~StartGuard() {
  {
    const std::lock_guard lock(mutex_);
    started_ = true;
  }
  ended_.notify_all();
  if (thread_.joinable()) thread_.join();
}

}  // namespace convoy
