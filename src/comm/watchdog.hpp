// No rank waits for ever: a thread that ends the process group when nobody gets on any more, or when a rank
// gives no sign of life, and says which rank is missing, in which phase and step. Used by training and by
// distributed evaluation, whose ranks wait for each other at every step.
//
// Each rank's thread tells rank 0 about once a second what its rank last did; rank 0's thread judges and
// answers. So a rank that waits for a slow one is never taken for a stuck one, and of a stuck group the rank
// that is behind is named. Time during which a whole process was suspended does not count.
//
// It also asks a Collective that it was told of about once a second whether its transport has failed (NCCL
// knows of a lost peer long before a heartbeat is missed), and gives it up before it ends the group.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/log.hpp"
#include "comm/communicator.hpp"

namespace convoy {

class Collective;

class Watchdog {
 public:
  // `seconds` without a heartbeat of any rank, or without a message from one, end all ranks with
  // ExitCode::device; with 0 nobody is missed, and only a Watch's collective is asked. Below
  // MPI_THREAD_MULTIPLE every rank watches itself alone. Constructor and destructor are collective; the
  // destructor waits for nobody while an error unwinds.
  Watchdog(Communicator& communicator, const Log& log, double seconds);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // This rank is alive and enters `phase` (a string literal) of `step`. Costs a few stores: call it several
  // times a step, always from the same thread and in the same places on every rank.
  void beat(const char* phase, std::int64_t step);

  // While it lives, the watchdog asks `collective` for failures. A failure that lasts a second (in which a
  // rank that ends on purpose ends the group itself, with its own exit code) ends all ranks with
  // ExitCode::device. Make it before Collective::connect; it must end before the collective and the watchdog
  // do, and its end waits until the watchdog does not use the collective. One at a time. Not collective.
  class Watch {
   public:
    Watch(Watchdog& watchdog, Collective& collective);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    Watchdog& watchdog_;
  };

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace convoy
