// The request to stop: SIGUSR1 (what mpirun passes on and Slurm sends), SIGINT, SIGTERM and, unless it is
// ignored, SIGHUP become a flag that the trainer looks at between steps. A second SIGINT ends the process at
// once. Made in `main` before MPI starts any thread, so that every thread of the process leaves these signals
// to the one in here.
#pragma once

#include <atomic>
#include <csignal>
#include <thread>
#include <vector>

namespace convoy {

class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  const std::atomic<bool>& requested() const { return requested_; }

 private:
  struct Replaced {
    int signal;
    struct sigaction action;
  };

  void listen(const sigset_t& set);

  std::atomic<bool> requested_ = false;
  std::atomic<bool> ending_ = false;
  std::vector<Replaced> replaced_;
  std::thread listener_;
};

}  // namespace convoy
