// Human-readable messages on standard error. cli/program.cpp makes one Log and hands it down by reference;
// `info` writes on rank 0 only, warnings and errors are written on every rank and name it. Machine-readable
// records of a run are report/'s.
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
  // `rank` of `size` processes; with one process no rank is named. `quiet` silences `info`.
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
