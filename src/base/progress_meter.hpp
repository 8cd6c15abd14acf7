// How far a long piece of work has come: on a terminal a line that is overwritten, elsewhere messages at
// intervals that grow with the work's length. Used by pack, synthesize, verify and evaluate, and by training
// for its evaluations.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.hpp"
#include "base/log.hpp"

namespace convoy {

class ProgressMeter {
 public:
  enum class Elsewhere { messages, nothing };  // where there is no line to overwrite

  // `what` begins each line: "train: about 1200 of 6000 images (20 %), 310 images/s, 15s left".
  ProgressMeter(const Log& log, std::string what, std::int64_t total,
                Elsewhere elsewhere = Elsewhere::messages);
  ~ProgressMeter();  // removes the line
  ProgressMeter(const ProgressMeter&) = delete;
  ProgressMeter& operator=(const ProgressMeter&) = delete;

  // `done` images of the total; `estimated` where other ranks' are only known roughly. Cheap: shows it a few
  // times a second at most.
  void show(std::int64_t done, bool estimated = false);

 private:
  std::string text(std::int64_t done, bool estimated, std::size_t columns) const;

  const Log& log_;
  std::string what_;
  std::int64_t total_;
  Elsewhere elsewhere_;
  Stopwatch whole_, since_shown_;
};

}  // namespace convoy
