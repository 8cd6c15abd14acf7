// Human-readable messages on standard error. `main` creates one Log and passes it by reference; `debug`,
// `info` and `status` print on rank 0 only, warnings and errors print on every rank with its number.
// Machine-readable records of a run are written by report/.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string_view>
#include <utility>

#include "base/words.hpp"

namespace convoy {

// The least important messages that are printed.
enum class LogLevel { error, warning, info, debug };

inline Words<LogLevel> log_level_words() {
  return {{"error", LogLevel::error},
          {"warning", LogLevel::warning},
          {"info", LogLevel::info},
          {"debug", LogLevel::debug}};
}

class Log {
 public:
  // `rank` of `size` processes; with one process messages contain no rank.
  explicit Log(int rank = 0, int size = 1, LogLevel level = LogLevel::info);
  ~Log();
  Log(Log&&) noexcept;
  Log& operator=(Log&&) noexcept;

  // Whether messages of this importance are printed, by this rank.
  bool writes(LogLevel level) const { return level <= level_ && (leads_ || level <= LogLevel::warning); }

  template <typename... Arguments>
  void debug(fmt::format_string<Arguments...> format, Arguments&&... arguments) const {
    if (writes(LogLevel::debug))
      write(LogLevel::debug, fmt::format(format, std::forward<Arguments>(arguments)...));
  }
  template <typename... Arguments>
  void info(fmt::format_string<Arguments...> format, Arguments&&... arguments) const {
    if (writes(LogLevel::info))
      write(LogLevel::info, fmt::format(format, std::forward<Arguments>(arguments)...));
  }
  template <typename... Arguments>
  void warn(fmt::format_string<Arguments...> format, Arguments&&... arguments) const {
    if (writes(LogLevel::warning))
      write(LogLevel::warning, fmt::format(format, std::forward<Arguments>(arguments)...));
  }
  template <typename... Arguments>
  void error(fmt::format_string<Arguments...> format, Arguments&&... arguments) const {
    write(LogLevel::error, fmt::format(format, std::forward<Arguments>(arguments)...));
  }

  // Whether status() shows anything: on a terminal, at `info` and above, on rank 0.
  bool shows_status() const;
  // A line that the next one overwrites and that messages do not disturb; an empty text removes it.
  void status(std::string_view text) const;

 private:
  void write(LogLevel level, std::string_view text) const;

  struct Screen;
  std::shared_ptr<Screen> screen_;
  LogLevel level_;
  bool leads_;
};

}  // namespace convoy
