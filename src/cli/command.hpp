// One command of the program: its help, its options, its work. Each has its own file in this folder;
// cli/program finds them by name.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/startup_clock.hpp"
#include "cli/option_table.hpp"
#include "comm/communicator.hpp"

namespace convoy {

// The context of a command that runs on several ranks.
struct RankContext {
  Communicator& communicator;
  const Log& log;
  const StartupClock& startup;        // what came before
  std::atomic<bool>& stop_requested;  // set by StopSignals, or by the command itself
};

class Command {
 public:
  virtual ~Command() = default;

  virtual std::string_view name() const = 0;
  virtual std::string_view summary() const = 0;      // one line for `convoy --help`
  virtual std::string_view description() const = 0;  // a paragraph
  virtual std::string_view example() const = 0;      // lines to copy

  virtual void declare(OptionTable& table) = 0;

  // Called after the options were set: rejects invalid combinations. `table` knows where values came from.
  virtual void check(const OptionTable& /*table*/) {}

  // Commands that share work among ranks get the communicator; the others run on only one process.
  virtual bool uses_ranks() const { return true; }
  virtual ExitCode run(RankContext& context);
  virtual ExitCode run_alone(const Log& log);

  // Whether what it prints is its result, so that the command fails if it cannot be printed.
  virtual bool must_print() const { return true; }

  // Seconds that a rank waits for the others to start; 0: for ever.
  virtual double start_patience() const { return 600; }

  // Whether the command itself handles a request to stop (otherwise the signal ends the process).
  virtual bool answers_stop() const { return false; }
};

// All commands, in the order of `convoy --help`.
std::vector<std::unique_ptr<Command>> make_commands();

}  // namespace convoy
