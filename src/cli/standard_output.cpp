#include "cli/standard_output.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <system_error>

namespace convoy {

StandardOutput::StandardOutput() noexcept {
  std::signal(SIGPIPE, SIG_IGN);
}

bool StandardOutput::caused(const std::exception_ptr& thrown) noexcept {
  if (std::ferror(stdout) == 0) return false;
  try {
    std::rethrow_exception(thrown);
  } catch (const std::system_error& error) {
    reason_ = error.code().value();
    return true;
  } catch (...) {
    return false;
  }
}

ExitCode StandardOutput::finish(ExitCode code) noexcept {
  errno = 0;
  const bool arrived = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (arrived || !required_) return code;
  if (reason_ == 0) reason_ = errno;
  if (reason_ == EPIPE) {
    if (code != ExitCode::done) return code;
    std::signal(SIGPIPE, SIG_DFL);
    std::raise(SIGPIPE);
  }
  print_error_line(fmt::format("convoy: standard output could not be written{}{}", reason_ == 0 ? "" : ": ",
                               reason_ == 0 ? "" : system_error_text(reason_)));
  return code == ExitCode::done ? ExitCode::io : code;
}

void print_error_line(const std::string& text) noexcept {
  std::fputs((text + "\n").c_str(), stderr);
}

}  // namespace convoy
