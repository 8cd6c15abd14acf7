// The progress display of a run: epoch, step, loss, top-1, images/s and the remaining time. On a terminal it
// is one line that is overwritten; elsewhere (a log file) one plain line per record.
#pragma once

#include <ostream>
#include <string>

#include "base/log.hpp"
#include "train/observer.hpp"

namespace convoy {

class ProgressLine : public Observer {
 public:
  // `live`: `out` is a terminal (see standard_output_is_terminal). If lines cannot be written (a closed pipe,
  // a full disk), `log` gets one warning and the run continues.
  ProgressLine(std::ostream& out, bool live, const Log& log);
  ~ProgressLine() override;  // ends the live line

  void on_start(const RunRecord& record) override;
  void on_progress(const StepRecord& record) override;
  void on_step(const StepRecord& record) override;
  void on_validation(const ValidationRecord& record) override;
  void on_event(const EventRecord& record) override;

 private:
  void show(const std::string& text);  // the live line, or a plain one
  std::string text_of(const StepRecord& record) const;
  void print(const std::string& text);  // a permanent line
  void write(const std::string& text);

  std::ostream& out_;
  bool live_;
  const Log& log_;
  bool warned_ = false;
  std::size_t width_ = 0;  // characters of the live line on the screen
  std::int64_t last_step_ = 0;
  double epochs_ = 0;
};

// "42s", "3m05s", "2h07m", "3d04h".
std::string duration_text(double seconds);

// Whether standard output is a terminal.
bool standard_output_is_terminal();

}  // namespace convoy
