// Errors of the whole program. Every failure is thrown as one exception type whose category is the process's
// exit code (README, "Reading the output"); only `main` converts it.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace convoy {

// Exit codes of every command. mpirun and srun see the same number.
enum class ExitCode : int {
  done = 0,
  usage = 64,     // wrong option, value or combination
  bad_data = 65,  // store, checkpoint or image that cannot be used
  bug = 70,       // an internal check failed
  device = 71,    // device or library failure (MPI, oneDNN, CUDA, NCCL)
  io = 74,        // reading or writing files failed
  stopped = 75,   // stopped on request with a checkpoint saved: start the run again
  diverged = 76,  // non-finite loss, gradient or weight
};

class Error : public std::runtime_error {
 public:
  Error(ExitCode category, const std::string& message) : std::runtime_error(message), category_(category) {}
  ExitCode category() const noexcept { return category_; }

 private:
  ExitCode category_;
};

// Throws Error with a formatted message: fail(ExitCode::io, "cannot open {}: {}", path, reason).
template <typename... Arguments>
[[noreturn]] void fail(ExitCode category, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  throw Error(category, fmt::format(format, std::forward<Arguments>(arguments)...));
}

// An internal check: a false condition is a bug in Convoy (exit code 70), never the user's fault.
inline void ensure(bool condition, const char* what) {
  if (!condition) throw Error(ExitCode::bug, std::string("internal check failed: ") + what);
}

// Converts any exception to a category and a text: out of memory is ExitCode::device, a file system error
// ExitCode::io, anything unknown a bug. `memory_advice`: the remedy if memory runs out.
Error as_error(const std::exception_ptr& thrown, std::string_view memory_advice);

// Text of errno value `number`, e.g. "No such file or directory" (thread-safe).
std::string system_error_text(int number);

}  // namespace convoy
