// Prevents a rank from waiting forever for others that never start: MPI connects the ranks before anything
// else of Convoy works, the watchdog included. Used by `main`'s commands around the start of MPI.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

namespace convoy {

class StartGuard {
 public:
  // From `seconds` on, until the destructor, ends this process with ExitCode::device and a message that names
  // `rank` and the host; the launcher then ends the other ranks. 0: never.
  StartGuard(double seconds, int rank);
  ~StartGuard();
  StartGuard(const StartGuard&) = delete;
  StartGuard& operator=(const StartGuard&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  bool started_ = false;  // all ranks
  std::thread thread_;
};

}  // namespace convoy
