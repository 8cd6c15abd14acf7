#include "cli/process_setup.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace convoy {
namespace {

// `open` takes the lowest free number: in rising order each stream gets its own.
void open_if_closed(int stream, int flags) noexcept {
  if (::fcntl(stream, F_GETFD) != -1 || errno != EBADF) return;
  [[maybe_unused]] const int opened = ::open("/dev/null", flags);
}

void raise_open_file_limit() noexcept {
  constexpr rlim_t enough = 65536;  // some systems allow a thousand million, which libraries that loop over
                                    // all numbers do not survive
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = std::min(limit.rlim_max, enough);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

void prepare_process() noexcept {
  open_if_closed(STDIN_FILENO, O_RDONLY);
  open_if_closed(STDOUT_FILENO, O_RDONLY);  // not for writing: a lost result is noticed
  open_if_closed(STDERR_FILENO, O_WRONLY);
  raise_open_file_limit();
  std::signal(SIGXFSZ, SIG_IGN);
}

}  // namespace convoy
