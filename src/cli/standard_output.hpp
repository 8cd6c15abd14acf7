// Standard output of the program. What a command prints is its result: if it does not arrive, the command has
// failed. Used by cli/program around every command.
#pragma once

#include <exception>
#include <string>

#include "base/error.hpp"

namespace convoy {

class StandardOutput {
 public:
  // From here on, writing to a pipe without a reader fails instead of ending the process: SIGPIPE would end a
  // training run before its checkpoint (`convoy train … | tee log`, and Ctrl-C ends tee).
  StandardOutput() noexcept;

  // The command's result is elsewhere: losing its printed text is not a failure.
  void may_be_lost() noexcept { required_ = false; }

  // Whether `thrown` says that printing failed, as fmt::print reports it; finish() then reports the reason.
  bool caused(const std::exception_ptr& thrown) noexcept;

  // Flushes, and returns `code` if everything arrived. Otherwise reports the reason on standard error and
  // returns ExitCode::io. If the reader of a pipe has left (`convoy verify STORE | head -1`), ends the
  // process quietly by SIGPIPE, as other programs do.
  ExitCode finish(ExitCode code) noexcept;

 private:
  bool required_ = true;
  int reason_ = 0;  // errno of the first failure
};

// Writes a line to standard error, whether or not it can be written.
void print_error_line(const std::string& text) noexcept;

}  // namespace convoy
