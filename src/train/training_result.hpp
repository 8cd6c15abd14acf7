// How a run ended. Made by the training loop; the trainer returns it to its caller.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.hpp"

namespace convoy {

struct TrainingResult {
  ExitCode code = ExitCode::done;  // done, stopped or diverged
  std::int64_t step = 0;           // completed updates
  std::string text;                // one line for the user: how it ended and where things are
};

}  // namespace convoy
