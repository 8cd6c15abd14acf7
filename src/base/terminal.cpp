#include "base/terminal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace convoy {
namespace {

int descriptor_of(Stream stream) {
  return stream == Stream::output ? STDOUT_FILENO : STDERR_FILENO;
}

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::size_t columns_of(int descriptor) {
  winsize size{};
  return ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

// The terminal from which the process was started; ranks of this host have it too.
std::size_t columns_of_session() {
  const int terminal = ::open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
  if (terminal < 0) return 0;
  const std::size_t columns = columns_of(terminal);
  ::close(terminal);
  return columns;
}

}  // namespace

bool on_terminal(Stream stream) {
  const std::string_view wish = variable(stream == Stream::output ? "CONVOY_PROGRESS" : "CONVOY_MESSAGES");
  if (!wish.empty()) return wish == "live";
  return variable("OMPI_COMM_WORLD_SIZE").empty() && ::isatty(descriptor_of(stream)) == 1;
}

bool can_redraw(Stream stream) {
  return on_terminal(stream) && variable("TERM") != "dumb";
}

bool shows_colour(Stream stream) {
  return can_redraw(stream) && variable("NO_COLOR").empty();
}

std::size_t terminal_columns(Stream stream) {
  for (const std::size_t columns : {columns_of(descriptor_of(stream)), columns_of_session()})
    if (columns > 0) return columns;
  const int columns = std::atoi(std::string(variable("COLUMNS")).c_str());
  return columns > 0 ? static_cast<std::size_t>(columns) : 80;
}

bool accepts_text(Stream stream, double seconds) {
  pollfd wait{descriptor_of(stream), POLLOUT, 0};
  int ready = 0;
  do {
    ready = ::poll(&wait, 1, static_cast<int>(1000 * seconds));
  } while (ready < 0 && errno == EINTR);
  return ready != 0;
}

std::string styled(std::string_view text, Style style, bool colour) {
  if (!colour) return std::string(text);
  const auto code = [style] {
    switch (style) {
      case Style::bold:
        return "1";
      case Style::dim:
        return "2";
      case Style::red:
        return "1;31";
      case Style::yellow:
        return "33";
    }
    return "0";
  };
  return fmt::format("\033[{}m{}\033[0m", code(), text);
}

std::size_t character_count(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; }));
}

std::string live_line(std::string_view text) {
  constexpr std::string_view no_wrapping = "\033[?7l", wrapping = "\033[?7h", erase_the_rest = "\033[J";
  return fmt::format("\r{}{}{}{}\r", no_wrapping, text, erase_the_rest, wrapping);
}

}  // namespace convoy
