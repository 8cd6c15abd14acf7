#include "base/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <mutex>
#include <string>

#include "base/terminal.hpp"

namespace convoy {

// What is on standard error.
struct Log::Screen {
  std::shared_ptr<spdlog::logger> logger;
  bool redraws = can_redraw(Stream::messages), colour = shows_colour(Stream::messages);
  std::mutex mutex;
  std::string status;  // the live line; guarded by the mutex

  // A message that nobody reads must not stop the program, least of all the watchdog. Waits for a reader
  // once.
  bool accepts() {
    constexpr double patience = 1;  // seconds
    accepted = accepts_text(Stream::messages, accepted ? patience : 0);
    return accepted;
  }
  bool accepted = true;

  void draw(std::string_view text) const {
    if (!accepts_text(Stream::messages, 0)) return;
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fflush(stderr);
  }
};

namespace {

std::string label_of(LogLevel level, bool colour) {
  const std::string_view word = word_of(log_level_words(), level);
  switch (level) {
    case LogLevel::error:
      return styled(word, Style::red, colour);
    case LogLevel::warning:
      return styled(word, Style::yellow, colour);
    case LogLevel::info:
      return std::string(word);
    case LogLevel::debug:
      return styled(word, Style::dim, colour);
  }
  return std::string(word);
}

}  // namespace

Log::Log(int rank, int size, LogLevel level)
    : screen_(std::make_shared<Screen>()), level_(level), leads_(rank == 0) {
  const std::string who = size > 1 ? fmt::format("convoy[{}]", rank) : "convoy";
  screen_->logger = std::make_shared<spdlog::logger>(who, std::make_shared<spdlog::sinks::stderr_sink_mt>());
  // A live line may be there, of this process or of another rank.
  screen_->logger->set_pattern(std::string(screen_->redraws ? erase_live_line : "") + "%H:%M:%S %n %v");
  screen_->logger->flush_on(spdlog::level::info);
}

Log::~Log() = default;
Log::Log(Log&&) noexcept = default;
Log& Log::operator=(Log&&) noexcept = default;

void Log::write(LogLevel level, std::string_view text) const {
  const std::scoped_lock lock(screen_->mutex);
  if (!screen_->accepts()) return;
  // The logger itself filters nothing and writes each line in one piece.
  screen_->logger->info("{}: {}", label_of(level, screen_->colour), text);
  if (!screen_->status.empty()) screen_->draw(live_line(screen_->status));
}

bool Log::shows_status() const {
  return screen_->redraws && writes(LogLevel::info);
}

void Log::status(std::string_view text) const {
  if (!shows_status()) return;
  const std::scoped_lock lock(screen_->mutex);
  if (text.empty() && screen_->status.empty()) return;
  screen_->status = text;
  screen_->draw(text.empty() ? std::string(erase_live_line) : live_line(text));
}

}  // namespace convoy
