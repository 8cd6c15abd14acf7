#include "base/timeline.hpp"

#include <algorithm>
#include <chrono>

namespace convoy {
namespace {

std::vector<TimelineEvent::Number> kept(TimelineRow::Numbers numbers) {
  return {numbers.begin(), numbers.end()};
}

}  // namespace

double timeline_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void TimelineRow::add(const char* name, double begin, double end, Numbers numbers) {
  if (!recording()) return;
  const std::lock_guard lock(mutex_);
  if (!recording() || begin < started_) return;
  events_.push_back({name, begin, end, kept(numbers)});
}

bool TimelineRow::open(const char* name, Numbers numbers) {
  const std::lock_guard lock(mutex_);
  if (!recording()) return false;
  open_.push_back({name, timeline_now(), 0, kept(numbers)});
  return true;
}

void TimelineRow::close() {
  const std::lock_guard lock(mutex_);
  if (open_.empty()) return;  // stop() has ended it
  open_.back().end = timeline_now();
  events_.push_back(std::move(open_.back()));
  open_.pop_back();
}

void TimelineRow::start(double now) {
  const std::lock_guard lock(mutex_);
  started_ = now;
  recording_ = true;
}

TimelineTrack TimelineRow::stop(double now) {
  const std::lock_guard lock(mutex_);
  recording_ = false;
  for (TimelineEvent& event : open_) {
    event.name += " (unfinished)";
    event.end = now;
    events_.push_back(std::move(event));
  }
  open_.clear();
  return {name_, std::move(events_)};
}

TimelineRow& Timeline::row(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find_if(rows_, [&](const TimelineRow& row) { return row.name_ == name; });
  if (found != rows_.end()) return *found;
  TimelineRow& row = rows_.emplace_back(name);
  if (recording_) row.start(timeline_now());
  return row;
}

void Timeline::start() {
  const std::lock_guard lock(mutex_);
  recording_ = true;
  const double now = timeline_now();
  for (TimelineRow& row : rows_) row.start(now);
}

std::vector<TimelineTrack> Timeline::stop() {
  const std::lock_guard lock(mutex_);
  recording_ = false;
  const double now = timeline_now();
  std::vector<TimelineTrack> tracks;
  for (TimelineRow& row : rows_) tracks.push_back(row.stop(now));
  return tracks;
}

}  // namespace convoy
