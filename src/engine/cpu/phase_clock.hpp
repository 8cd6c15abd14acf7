// Where a step's time goes on the CPU: the replica reports when the step enters a phase and takes the sums
// at the update. For cpu_replica.cpp alone.
#pragma once

#include <optional>
#include <utility>

#include "base/clock.hpp"
#include "engine/training_replica.hpp"

namespace convoy::cpu {

class PhaseClock {
 public:
  void enter(Phase phase) {
    charge();
    phase_ = phase;
  }

  // Seconds of each phase since the last call; the step is in none from here on.
  PhaseSeconds take() {
    charge();
    phase_.reset();
    return std::exchange(seconds_, {});
  }

  // While it lives, time is charged to no phase.
  class Aside {
   public:
    explicit Aside(PhaseClock& clock) : clock_(clock) { clock_.charge(); }
    ~Aside() { clock_.watch_.restart(); }
    Aside(const Aside&) = delete;
    Aside& operator=(const Aside&) = delete;

   private:
    PhaseClock& clock_;
  };

 private:
  void charge() {
    const double passed = watch_.restart();
    if (!phase_) return;
    switch (*phase_) {
      case Phase::forward:
        seconds_.forward += passed;
        break;
      case Phase::backward:
        seconds_.backward += passed;
        break;
      case Phase::exposed:
        seconds_.exposed += passed;
        break;
      case Phase::update:
        seconds_.update += passed;
        break;
    }
  }

  std::optional<Phase> phase_;
  PhaseSeconds seconds_;
  Stopwatch watch_;
};

}  // namespace convoy::cpu
