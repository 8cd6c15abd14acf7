// The time of day for records of a run. Used by the files for TensorBoard and by MLPerf's log.
#pragma once

#include <chrono>

#include "base/clock.hpp"

namespace convoy {

// Seconds since 1970: the system's time at construction, and from there on steady, so that times within a run
// never go back when the system's clock is set.
class WallClock {
 public:
  double seconds() const { return started_ + elapsed_.seconds(); }

 private:
  double started_ =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  Stopwatch elapsed_;
};

}  // namespace convoy
