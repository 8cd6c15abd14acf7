// The progress display of a run: epoch, step, loss, top-1, images/s and the remaining time. On a terminal it
// is one line that is overwritten; elsewhere (a log file) one plain line per record.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "base/terminal.hpp"
#include "train/observer.hpp"

namespace convoy {

struct ProgressStyle {
  bool live = false;    // lines can be overwritten (can_redraw)
  bool colour = false;  // key figures are emphasised
  std::function<std::size_t()> columns = [] { return terminal_columns(Stream::output); };
  // Whether a line can be written within so many seconds.
  std::function<bool(double)> ready = [](double seconds) { return accepts_text(Stream::output, seconds); };
};

class ProgressLine : public Observer {
 public:
  // If lines cannot be written (a closed pipe, a full disk) or nobody reads them, `log` gets one warning and
  // the run continues.
  ProgressLine(std::ostream& out, ProgressStyle style, const Log& log);
  ~ProgressLine() override;  // the last live line stays

  void on_start(const RunRecord& record) override;
  void on_progress(const StepRecord& record) override;
  void on_step(const StepRecord& record) override;
  void on_validation(const ValidationRecord& record) override;
  void on_event(const EventRecord& record) override;

 private:
  // "loss 2.5000": a name and a figure, or only a figure.
  struct Field {
    std::string name, figure;
    bool key = false;  // to be emphasised
  };
  static std::size_t width_of(const std::vector<Field>& fields);
  std::string text_of(const std::vector<Field>& fields) const;
  std::vector<Field> fields_of(const StepRecord& record) const;
  std::string fitting(std::vector<Field> fields) const;
  void show(const StepRecord& record);  // in the live line, or in a plain one
  void print(std::string_view text);    // a permanent line
  void write(const std::string& text);
  bool is_read();
  void warn_of_loss(std::string_view reason);

  std::ostream& out_;
  ProgressStyle style_;
  const Log& log_;
  bool warned_ = false, read_ = true;
  std::string shown_;  // the live line on the screen
  std::int64_t last_step_ = 0;
  double epochs_ = 0;
};

}  // namespace convoy
