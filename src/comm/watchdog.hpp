// Prevents ranks from waiting forever: a thread ends the process group when no rank makes progress, or when a
// rank stops reporting, and logs which rank is missing, in which phase and step. Used by training and by
// distributed evaluation, whose ranks wait for each other at every step.
//
// Each rank's thread reports its rank's last heartbeat to rank 0 about once a second; rank 0's thread decides
// and answers. A rank that waits for a slow one is therefore never considered stuck, and in a stuck group the
// rank that is behind is named. Time during which a whole process was suspended does not count.
//
// It also polls the Collective of its Watch for a transport failure about once a second (NCCL detects a lost
// peer long before a heartbeat is missed), and aborts the collective before it ends the group.
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
  // ExitCode::device (before the first heartbeat, no fewer than 600 s without one); with 0 only a Watch's
  // collective is polled. Below MPI_THREAD_MULTIPLE every rank watches only itself. Constructor and
  // destructor are collective; while an error unwinds, the destructor does not wait for other ranks.
  Watchdog(Communicator& communicator, const Log& log, double seconds);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // This rank is alive and enters `phase` (a string literal) of `step`. Costs a few stores: call it several
  // times per step, always from the same thread and in the same places on every rank.
  void beat(const char* phase, std::int64_t step);

  // This rank goes on with what it entered by its last beat(); for work of which other ranks may have none.
  void still_working();

  // During its lifetime the watchdog polls `collective` for failures. A failure that lasts a second (in which
  // a rank that ends on purpose ends the group itself, with its own exit code) ends all ranks with
  // ExitCode::device. Create it before Collective::connect; destroy it before the collective and the
  // watchdog. Its destructor waits until the watchdog no longer uses the collective. One at a time. Not
  // collective.
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
