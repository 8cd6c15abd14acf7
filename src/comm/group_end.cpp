#include "comm/group_end.hpp"

#include <chrono>
#include <thread>

#include "base/host_name.hpp"

namespace convoy {

namespace {

constexpr double patience = 1;  // seconds: for the other ranks to encounter the same error

void report(const Communicator& communicator, const Log& log, const Error& error,
            const std::string& advice = {}) {
  log.error("rank {} on {}: {}{}{}", communicator.rank(), host_name(), error.what(),
            advice.empty() ? "" : ". ", advice);
}

// Returns how all ranks end; does not return if some ranks continue.
Ending end_together_or_abort(Communicator& communicator, const Log& log, const Error& error,
                             const std::string& advice = {}) {
  try {
    if (const std::optional<Ending> ending = communicator.end_together(error, patience)) return *ending;
  } catch (const Error&) {  // MPI itself failed: report the earlier error
  }
  report(communicator, log, error, advice);
  communicator.abort(error.category());
}

}  // namespace

ExitCode end_group(Communicator& communicator, const Log& log, const Error& error) {
  if (communicator.size() == 1) {
    log.error("{}", error.what());
    return error.category();
  }
  const Ending ending = end_together_or_abort(communicator, log, error);
  if (!ending.alike) {
    // The ranks were at different places, so they cannot leave MPI together. The rank whose error counts ends
    // first.
    report(communicator, log, error);
    if (error.category() != ending.code) std::this_thread::sleep_for(std::chrono::seconds(2));
    communicator.abort(ending.code);
  }
  if (communicator.rank() == 0) {
    log.error("{}", error.what());
  }
  return ending.code;
}

void end_group_unless_all_failed(Communicator& communicator, const Log& log, const Error& error,
                                 const std::string& advice) {
  if (communicator.size() > 1) end_together_or_abort(communicator, log, error, advice);
}

}  // namespace convoy
