#include "base/progress_meter.hpp"

#include <algorithm>
#include <utility>

#include "base/duration_text.hpp"
#include "base/terminal.hpp"

namespace convoy {
namespace {

constexpr double seconds_between_drawings = 0.2;  // what an eye follows

// A pack of some hours prints a line a minute, one of a minute every five seconds.
double seconds_between_messages(double elapsed) {
  return std::clamp(elapsed / 12, 5.0, 60.0);
}

}  // namespace

ProgressMeter::ProgressMeter(const Log& log, std::string what, std::int64_t total, Elsewhere elsewhere)
    : log_(log), what_(std::move(what)), total_(total), elsewhere_(elsewhere) {}

ProgressMeter::~ProgressMeter() {
  log_.status("");
}

void ProgressMeter::show(std::int64_t done, bool estimated) {
  const bool live = log_.shows_status();
  if (!live && elsewhere_ == Elsewhere::nothing) return;
  const double pause = live ? seconds_between_drawings : seconds_between_messages(whole_.seconds());
  if (since_shown_.seconds() < pause) return;
  since_shown_.restart();
  if (live)
    log_.status(text(done, estimated, terminal_columns(Stream::messages)));
  else
    log_.info("{}", text(done, estimated, std::string::npos));
}

// A narrow terminal does without the speed, then without the remaining time.
std::string ProgressMeter::text(std::int64_t done, bool estimated, std::size_t columns) const {
  const double rate = static_cast<double>(done) / std::max(whole_.seconds(), 1e-9);
  const std::string amount = fmt::format("{}: {}{} of {} images ({} %)", what_, estimated ? "about " : "",
                                         done, total_, 100 * done / std::max<std::int64_t>(total_, 1));
  const std::string speed = fmt::format(", {:.0f} images/s", rate);
  const std::string left =
      fmt::format(", {} left", duration_text(static_cast<double>(total_ - done) / std::max(rate, 1e-9)));
  if (amount.size() + speed.size() + left.size() < columns) return amount + speed + left;
  return amount.size() + left.size() < columns ? amount + left : amount;
}

}  // namespace convoy
