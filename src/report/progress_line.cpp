#include "report/progress_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/duration_text.hpp"
#include "base/error.hpp"
#include "base/text_list.hpp"

namespace convoy {
namespace {

constexpr const char* between_fields = "  ";

}  // namespace

ProgressLine::ProgressLine(std::ostream& out, ProgressStyle style, const Log& log)
    : out_(out), style_(std::move(style)), log_(log) {}

ProgressLine::~ProgressLine() {
  if (!shown_.empty()) print(shown_);
}

// Waits a moment for the reader, but once only.
bool ProgressLine::is_read() {
  constexpr double patience = 1;  // seconds
  read_ = style_.ready(read_ && !style_.live ? patience : 0);
  return read_;
}

void ProgressLine::warn_of_loss(std::string_view reason) {
  if (!std::exchange(warned_, true))
    log_.warn("standard output {}: progress lines are being lost, and the run continues", reason);
}

void ProgressLine::write(const std::string& text) {
  if (!is_read()) {
    // A live line would be overwritten anyway.
    if (!style_.live) warn_of_loss("is not being read");
    return;
  }
  errno = 0;
  out_ << text << std::flush;
  if (out_) return;
  const int reason = errno;
  out_.clear();  // a full disk may become free again
  warn_of_loss(reason == 0 ? "cannot be written" : "cannot be written: " + system_error_text(reason));
}

std::size_t ProgressLine::width_of(const std::vector<Field>& fields) {
  std::size_t width = 0;
  for (const Field& field : fields)
    width += field.name.size() + character_count(field.figure) + (field.name.empty() ? 0 : 1) +
             (&field == fields.data() ? 0 : std::string_view(between_fields).size());
  return width;
}

std::string ProgressLine::text_of(const std::vector<Field>& fields) const {
  std::vector<std::string> texts;
  texts.reserve(fields.size());
  for (const Field& field : fields)
    texts.push_back(fmt::format("{}{}{}", field.name, field.name.empty() ? "" : " ",
                                styled(field.figure, Style::bold, style_.colour && field.key)));
  return text_list(texts, between_fields);
}

std::vector<ProgressLine::Field> ProgressLine::fields_of(const StepRecord& record) const {
  return {{"epoch", fmt::format("{:.2f}/{:.4g}", record.epoch, epochs_)},
          {"step", fmt::format("{}/{}", record.step, last_step_)},
          {"loss", fmt::format("{:.4f}", record.loss), true},
          {"top-1", fmt::format("{:.1f}%", 100 * record.top1), true},
          {"", fmt::format("{:.0f} images/s", record.images_per_second)},
          {"ETA", duration_text(record.seconds_left)}};
}

// A narrow terminal does without the step, then without the speed, then without the accuracy. The last column
// stays free: some terminals continue in the next row once it is filled.
std::string ProgressLine::fitting(std::vector<Field> fields) const {
  const std::size_t room = std::max<std::size_t>(style_.columns(), 2) - 1;
  for (const std::ptrdiff_t field : {1, 3, 2})
    if (width_of(fields) > room) fields.erase(fields.begin() + field);
  while (fields.size() > 1 && width_of(fields) > room) fields.pop_back();
  return text_of(fields);
}

void ProgressLine::show(const StepRecord& record) {
  if (!style_.live) {
    write(text_of(fields_of(record)) + "\n");
    return;
  }
  shown_ = fitting(fields_of(record));
  write(live_line(shown_));
}

void ProgressLine::print(std::string_view text) {
  write(fmt::format("{}{}\n", style_.live ? erase_live_line : "", text));
  shown_.clear();
}

void ProgressLine::on_start(const RunRecord& record) {
  last_step_ = record.last_step;
  epochs_ = record.epochs;
}

void ProgressLine::on_progress(const StepRecord& record) {
  if (style_.live) show(record);
}

void ProgressLine::on_step(const StepRecord& record) {
  show(record);
}

void ProgressLine::on_validation(const ValidationRecord& record) {
  const auto figure = [this](const std::string& text) { return styled(text, Style::bold, style_.colour); };
  print(fmt::format("epoch {:.2f}/{:.4g}  validation: loss {}  top-1 {}  top-5 {}  ({} images)", record.epoch,
                    epochs_, figure(fmt::format("{:.4f}", record.loss)),
                    figure(fmt::format("{:.2f}%", 100 * record.top1)),
                    figure(fmt::format("{:.2f}%", 100 * record.top5)), record.samples));
}

void ProgressLine::on_event(const EventRecord& record) {
  // The log reports starts, resumed runs and warnings.
  if (record.what == "rate") print(fmt::format("step {}: {}", record.step, record.text));
}

}  // namespace convoy
