// The progress display of a run: epoch, step, loss, top-1, images/s and the remaining time. On a terminal it
// is one line that is overwritten; elsewhere (a log file) one plain line per record.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "train/observer.hpp"

namespace convoy {

// Columns of the terminal at standard output. Where it does not say (mpirun's own terminal does not know the
// user's), those of the environment variable COLUMNS, otherwise 80.
std::size_t terminal_columns();

class ProgressLine : public Observer {
 public:
  // `live`: `out` is a terminal (see standard_output_is_terminal), of `columns()` columns at the moment. If
  // lines cannot be written (a closed pipe, a full disk), `log` gets one warning and the run continues.
  ProgressLine(std::ostream& out, bool live, const Log& log,
               std::function<std::size_t()> columns = terminal_columns);
  ~ProgressLine() override;  // ends the live line

  void on_start(const RunRecord& record) override;
  void on_progress(const StepRecord& record) override;
  void on_step(const StepRecord& record) override;
  void on_validation(const ValidationRecord& record) override;
  void on_event(const EventRecord& record) override;

 private:
  void show(const StepRecord& record);  // in the live line, or in a plain one
  std::vector<std::string> fields_of(const StepRecord& record) const;
  std::string fitting(std::vector<std::string> fields) const;
  std::size_t room() const;             // characters that the live line may have
  void print(const std::string& text);  // a permanent line
  void write(const std::string& text);

  std::ostream& out_;
  bool live_;
  const Log& log_;
  std::function<std::size_t()> columns_;
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
