#include "report/progress_line.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "base/error.hpp"
#include "base/text_list.hpp"

namespace convoy {

bool standard_output_is_terminal() {
  return ::isatty(STDOUT_FILENO) == 1;
}

std::string duration_text(double seconds) {
  if (!(seconds >= 0) || seconds > 1e9) return "?";
  const auto whole = static_cast<long long>(std::llround(seconds));
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{}h{:02}m", whole / 3600, whole % 3600 / 60);
  return fmt::format("{}d{:02}h", whole / 86400, whole % 86400 / 3600);
}

std::size_t terminal_columns() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const char* text = std::getenv("COLUMNS");
  const int columns = text != nullptr ? std::atoi(text) : 0;
  return columns > 0 ? static_cast<std::size_t>(columns) : 80;
}

ProgressLine::ProgressLine(std::ostream& out, bool live, const Log& log, std::function<std::size_t()> columns)
    : out_(out), live_(live), log_(log), columns_(std::move(columns)) {}

ProgressLine::~ProgressLine() {
  if (width_ > 0) out_ << '\n' << std::flush;
}

void ProgressLine::write(const std::string& text) {
  errno = 0;
  out_ << text << std::flush;
  if (out_) return;
  const int reason = errno;
  out_.clear();  // a full disk may become free again
  if (!warned_)
    log_.warn("standard output cannot be written{}{}: progress lines are being lost, and the run continues",
              reason == 0 ? "" : ": ", reason == 0 ? "" : system_error_text(reason));
  warned_ = true;
}

// A line that reaches the terminal's last column continues in the next row, where '\r' no longer reaches its
// start: every update would leave a row behind.
std::size_t ProgressLine::room() const {
  return std::max<std::size_t>(columns_(), 2) - 1;
}

void ProgressLine::show(const StepRecord& record) {
  const std::vector<std::string> fields = fields_of(record);
  if (!live_) {
    write(text_list(fields, "  ") + "\n");
    return;
  }
  const std::string text = fitting(fields);
  // Spaces overwrite the rest of a longer previous line, up to the last column but one.
  const std::size_t end = std::min(width_, room());
  const std::string cover(end > text.size() ? end - text.size() : 0, ' ');
  write(fmt::format("\r{}{}", text, cover));
  width_ = text.size();
}

void ProgressLine::print(const std::string& text) {
  const std::string cleared = width_ > 0 ? fmt::format("\r{}\r", std::string(width_, ' ')) : "";
  width_ = 0;
  write(cleared + text + "\n");
}

void ProgressLine::on_start(const RunRecord& record) {
  last_step_ = record.last_step;
  epochs_ = record.epochs;
}

std::vector<std::string> ProgressLine::fields_of(const StepRecord& record) const {
  return {fmt::format("epoch {:.2f}/{:.4g}", record.epoch, epochs_),
          fmt::format("step {}/{}", record.step, last_step_),
          fmt::format("loss {:.4f}", record.loss),
          fmt::format("top-1 {:.1f}%", 100 * record.top1),
          fmt::format("{:.0f} images/s", record.images_per_second),
          fmt::format("ETA {}", duration_text(record.seconds_left))};
}

std::string ProgressLine::fitting(std::vector<std::string> fields) const {
  // A narrow terminal does without the step, then without the speed, then without the accuracy.
  for (const std::ptrdiff_t field : {1, 3, 2})
    if (text_list(fields, "  ").size() > room()) fields.erase(fields.begin() + field);
  return text_list(fields, "  ").substr(0, room());
}

void ProgressLine::on_progress(const StepRecord& record) {
  if (live_) show(record);
}

void ProgressLine::on_step(const StepRecord& record) {
  show(record);
}

void ProgressLine::on_validation(const ValidationRecord& record) {
  print(fmt::format("epoch {:.2f}/{:.4g}  validation: loss {:.4f}  top-1 {:.2f}%  top-5 {:.2f}%  ({} images)",
                    record.epoch, epochs_, record.loss, 100 * record.top1, 100 * record.top5,
                    record.samples));
}

void ProgressLine::on_event(const EventRecord& record) {
  // The log reports starts, resumed runs and warnings.
  if (record.what == "rate") print(fmt::format("step {}: {}", record.step, record.text));
}

}  // namespace convoy
