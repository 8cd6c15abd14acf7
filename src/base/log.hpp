// Human-readable messages on standard error. `main` creates one Log and passes it by reference; `info` prints
// on rank 0 only, warnings and errors print on every rank with its number. Machine-readable records of a run
// are written by report/.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string_view>
#include <utility>

namespace spdlog {
class logger;
}

namespace convoy {

class Log {
 public:
  // `rank` of `size` processes; with one process messages contain no rank. `quiet` silences `info`.
  explicit Log(int rank = 0, int size = 1, bool quiet = false);
  ~Log();
  Log(Log&&) noexcept;
  Log& operator=(Log&&) noexcept;

  template <typename... Arguments>
  void info(fmt::format_string<Arguments...> format, Arguments&&... arguments) const {
    if (writes_info_) write_info(fmt::format(format, std::forward<Arguments>(arguments)...));
  }
  template <typename... Arguments>
  void warn(fmt::format_string<Arguments...> format, Arguments&&... arguments) const {
    write_warning(fmt::format(format, std::forward<Arguments>(arguments)...));
  }
  template <typename... Arguments>
  void error(fmt::format_string<Arguments...> format, Arguments&&... arguments) const {
    write_error(fmt::format(format, std::forward<Arguments>(arguments)...));
  }

 private:
  void write_info(std::string_view text) const;
  void write_warning(std::string_view text) const;
  void write_error(std::string_view text) const;

  std::shared_ptr<spdlog::logger> logger_;
  bool writes_info_;
};

}  // namespace convoy
