// Messages about a run's start: where the time until its first step went, and, at --log-level debug, how its
// steps are made up. Used by the training loop.
#pragma once

#include <cstddef>
#include <string>

#include "base/log.hpp"
#include "base/startup_clock.hpp"
#include "data/loader.hpp"
#include "engine/memory_use.hpp"
#include "train/resolved_run.hpp"

namespace convoy {

// "ready after 3.2 s: store 0.1, compiling 2.4, first step 0.5"; phases that nobody notices are left out.
std::string ready_text(const StartupClock& startup);

// The buckets of a gradient of `elements` numbers and the batches that a rank reads ahead, at debug.
void log_step_plan(const Log& log, const ResolvedRun& run, std::size_t elements, const LoaderOptions& loader);

// "memory: parameters 244.4 MB, gradients 244.4 MB, …", of what there is any.
std::string memory_text(const ReplicaMemory& replica, const ProgramMemory& program);

}  // namespace convoy
