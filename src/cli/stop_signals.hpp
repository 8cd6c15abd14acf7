// The request to stop: SIGUSR1 (forwarded by mpirun and sent by Slurm), SIGINT, SIGTERM and, unless it is
// ignored, SIGHUP set a flag that the trainer checks between steps. A second SIGINT ends the process at once.
// Created before MPI starts any thread, so that the other threads of the process leave these signals to this
// class's thread. A library may start a thread that unblocks them again (CUDA's driver does): a handler
// serves those.
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
  std::atomic<bool>& requested() { return requested_; }  // for who asks for a stop as well

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
