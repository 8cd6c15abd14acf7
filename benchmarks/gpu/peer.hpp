// Another framework that takes turns with Convoy on the same GPU: a child process that waits on its standard
// input while Convoy measures. For benchmark_gpu_step alone.
//
// The child prints one line of JSON when it is ready ({"ready": true, "what": "PyTorch 2.11.0", …} or
// {"error": "…"}). For each line that it reads it then measures once in each of its modes, and prints
// {"seconds": {"eager": 0.0123, …}}, the seconds of a step. It ends when its input ends.
// benchmarks/peers/step_torch.py --turns is such a program.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>

#include "base/file_descriptor.hpp"
#include "records.hpp"

namespace convoy::gpu_benchmark {

class Peer {
 public:
  // Starts `command` with /bin/sh, in this process group, so that `timeout` ends both.
  explicit Peer(const std::string& command);
  ~Peer();  // ends it
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // Waits at most so many seconds until the child is ready; false if it is not, and why() says the reason.
  bool wait_ready(double seconds);
  // One measurement: the seconds of a step by mode. Empty where the child failed; why() says the reason.
  std::map<std::string, double> measure(double seconds);

  const Json& greeting() const { return greeting_; }
  const std::string& why() const { return why_; }

 private:
  bool read_object(double seconds, Json& object);

  pid_t child_ = -1;
  FileDescriptor socket_;  // the child's standard input and output
  std::string unread_, why_;
  Json greeting_;
};

}  // namespace convoy::gpu_benchmark
