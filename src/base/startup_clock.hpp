// Where the time goes between the start of the program and the first step of training. `main` starts it,
// train/ names the phases as they end, report/ writes them down.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"

namespace convoy {

// Names and seconds, in order.
using StartupPhases = std::vector<std::pair<std::string, double>>;

class StartupClock {
 public:
  // The phase that ends now is called `name`; time of a phase that comes back is added to it. Returns its
  // seconds since the phase before.
  double end_phase(const std::string& name) {
    const double seconds = watch_.restart();
    for (auto& [known, sum] : phases_)
      if (known == name) {
        sum += seconds;
        return seconds;
      }
    phases_.emplace_back(name, seconds);
    return seconds;
  }

  const StartupPhases& phases() const { return phases_; }

 private:
  Stopwatch watch_;
  StartupPhases phases_;
};

}  // namespace convoy
