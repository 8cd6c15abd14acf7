// No rank waits for ever: a thread that ends the process group when nobody gets on any more, or when a rank
// gives no sign of life, and says which rank is missing, in which phase and step. Used by long-running
// commands (train, evaluate, pack).
//
// Each rank's thread tells rank 0 about once a second what its rank last did; rank 0's thread judges and
// answers. So a rank that waits for a slow one is never taken for a stuck one, and of a stuck group the rank
// that is behind is named. Time during which a whole process was suspended does not count.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/log.hpp"
#include "comm/communicator.hpp"

namespace convoy {

class Watchdog {
 public:
  // `seconds` without a heartbeat of any rank, or without a message from one, end all ranks with
  // ExitCode::device; 0 switches the watchdog off. Below MPI_THREAD_MULTIPLE every rank watches itself alone.
  // Constructor and destructor are collective; the destructor waits for nobody while an error unwinds.
  Watchdog(Communicator& communicator, const Log& log, double seconds);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // This rank is alive and enters `phase` (a string literal) of `step`. Costs a few stores: call it several
  // times a step, always from the same thread and in the same places on every rank.
  void beat(const char* phase, std::int64_t step);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace convoy
