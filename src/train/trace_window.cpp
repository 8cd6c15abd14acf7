#include "train/trace_window.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/error.hpp"
#include "base/host_name.hpp"
#include "comm/gather.hpp"

namespace convoy {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TimelineEvent, name, begin, end, numbers)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TimelineTrack, name, events)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RankTimeline, host, tracks)

namespace {

constexpr int barriers = 11;

struct Clock {
  int node = 0;
  std::vector<double> times;  // after each barrier
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Clock, node, times)

double median_difference(const std::vector<double>& left, const std::vector<double>& right) {
  std::vector<double> differences;
  for (std::size_t i = 0; i < left.size(); ++i) differences.push_back(left[i] - right[i]);
  std::ranges::nth_element(differences, differences.begin() + barriers / 2);
  return differences[barriers / 2];
}

}  // namespace

void prepare_trace_file(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error))
    fail(ExitCode::usage, "--trace {}: this is a folder; name the file to write", path.string());
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  std::filesystem::create_directories(folder, error);
  if (error)
    fail(ExitCode::io, "--trace {}: cannot make the folder {}: {}", path.string(), folder.string(),
         error.message());
  if (::access(folder.c_str(), W_OK) != 0)
    fail(ExitCode::io, "--trace {}: nothing can be written in the folder {}: {}", path.string(),
         folder.string(), system_error_text(errno));
}

double clock_offset(Communicator& communicator) {
  Clock mine{communicator.node(), {}};
  for (int i = 0; i < barriers; ++i) {
    communicator.barrier();
    mine.times.push_back(timeline_now());
  }
  const std::vector<Clock> clocks = gather(communicator, mine);
  if (mine.node == clocks.front().node) return 0;
  const auto first = std::ranges::find(clocks, mine.node, &Clock::node);  // the same on all ranks of the host
  return median_difference(clocks.front().times, first->times);
}

TraceWindow::TraceWindow(Timeline* timeline, const StepRange& steps, std::int64_t first_step,
                         Communicator& communicator, TrainingReplica& replica, RunReport& report)
    : timeline_(timeline),
      row_(timeline != nullptr ? &timeline->row("steps") : nullptr),
      first_(first_step + steps.first),
      last_(first_step + steps.last),
      communicator_(communicator),
      replica_(replica),
      report_(report) {
  if (timeline_ != nullptr) replica_.record_on(timeline_);
}

void TraceWindow::before(std::int64_t step) {
  if (row_ == nullptr || ended_) return;
  if (started_ && step > last_) return end();
  if (step == first_) {
    replica_.record_on(timeline_);
    timeline_->start();
    started_ = true;
  }
  newest_ = step;
}

void TraceWindow::finish(const Log& log) {
  if (row_ == nullptr || ended_) return;
  if (started_) return end();
  ended_ = true;
  if (communicator_.rank() != 0) return;
  log.warn(
      "no trace is written, since the run ended before the first step of --trace-steps; use --trace-steps "
      "1-{}",
      last_ - first_ + 1);
}

void TraceWindow::end() {
  ended_ = true;
  replica_.record_on(nullptr);
  RankTimeline mine{host_name(), timeline_->stop()};
  const double offset = clock_offset(communicator_);
  for (TimelineTrack& track : mine.tracks)
    for (TimelineEvent& event : track.events) {
      event.begin += offset;
      event.end += offset;
    }
  report_.timeline(
      {.first_step = first_, .last_step = std::min(newest_, last_), .ranks = gather(communicator_, mine)});
}

}  // namespace convoy
