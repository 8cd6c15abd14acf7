// The trace of some steps as a file of trace events in JSON, which ui.perfetto.dev and chrome://tracing show:
// a process for each rank, a thread for each of its rows.
#pragma once

#include <filesystem>
#include <string>

#include "base/log.hpp"
#include "train/observer.hpp"

namespace convoy {

class TraceFile : public Observer {
 public:
  // The file is written, complete or not at all, when the last traced step is done. If it cannot be written,
  // `log` gets a warning and the run continues.
  TraceFile(std::filesystem::path path, const Log& log);

  void on_timeline(const TimelineRecord& record) override;

 private:
  std::filesystem::path path_;
  const Log& log_;
};

// The text of the file. Times count from the first event, in microseconds. Intervals of a row that overlap
// without nesting (sums under way at the same time) are laid out in several threads.
std::string trace_json(const TimelineRecord& record);

}  // namespace convoy
