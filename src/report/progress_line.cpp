#include "report/progress_line.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>

#include "base/error.hpp"

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

ProgressLine::ProgressLine(std::ostream& out, bool live, const Log& log)
    : out_(out), live_(live), log_(log) {}

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

void ProgressLine::show(const std::string& text) {
  if (!live_) {
    write(text + "\n");
    return;
  }
  // Spaces overwrite the rest of a longer previous line.
  const std::string cover(width_ > text.size() ? width_ - text.size() : 0, ' ');
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

std::string ProgressLine::text_of(const StepRecord& record) const {
  return fmt::format("epoch {:.2f}/{:.4g}  step {}/{}  loss {:.4f}  top-1 {:.1f}%  {:.0f} images/s  ETA {}",
                     record.epoch, epochs_, record.step, last_step_, record.loss, 100 * record.top1,
                     record.images_per_second, duration_text(record.seconds_left));
}

void ProgressLine::on_progress(const StepRecord& record) {
  if (live_) show(text_of(record));
}

void ProgressLine::on_step(const StepRecord& record) {
  show(text_of(record));
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
