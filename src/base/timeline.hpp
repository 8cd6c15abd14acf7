// What this process's threads and devices did and when, for a trace that people look at: intervals in rows,
// one row for each thread or stream. Nothing is recorded but between start() and stop(), once each; where a
// row is null or nothing is recorded, a call costs a comparison. data/, comm/, engine/, checkpoint/ and
// train/ record; report/ writes the trace.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <list>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace convoy {

// Seconds of the clock of all timelines, which every process of a host shares.
double timeline_now();

struct TimelineEvent {
  using Number = std::pair<std::string, std::int64_t>;
  std::string name;
  double begin = 0, end = 0;
  std::vector<Number> numbers;  // shown beside the interval: step, bytes, …
};

struct TimelineTrack {
  std::string name;
  std::vector<TimelineEvent> events;
};

// Members may be called from any thread; intervals opened on a row nest, so one thread opens and closes them.
class TimelineRow {
 public:
  using Numbers = std::initializer_list<std::pair<const char*, std::int64_t>>;

  explicit TimelineRow(std::string name) : name_(std::move(name)) {}

  bool recording() const { return recording_.load(std::memory_order_relaxed); }

  // An interval that has passed; one that began before start() is left out. Intervals may overlap.
  void add(const char* name, double begin, double end, Numbers numbers = {});

 private:
  friend class Timeline;
  friend class TimelineScope;
  bool open(const char* name, Numbers numbers);  // whether something was recorded
  void close();
  void start(double now);
  TimelineTrack stop(double now);

  const std::string name_;
  std::atomic<bool> recording_{false};
  std::mutex mutex_;
  double started_ = 0;
  std::vector<TimelineEvent> open_, events_;
};

class Timeline {
 public:
  // The row of this name, made at the first call; valid as long as the timeline.
  TimelineRow& row(const std::string& name);

  void start();
  // All rows. Intervals that are open end now, and are named as unfinished.
  std::vector<TimelineTrack> stop();

 private:
  std::mutex mutex_;
  std::list<TimelineRow> rows_;
  bool recording_ = false;
};

// An interval from here to the end of the scope, on `row` (null: nowhere).
class TimelineScope {
 public:
  TimelineScope(TimelineRow* row, const char* name, TimelineRow::Numbers numbers = {})
      : row_(row != nullptr && row->recording() && row->open(name, numbers) ? row : nullptr) {}
  ~TimelineScope() {
    if (row_ != nullptr) row_->close();
  }
  TimelineScope(const TimelineScope&) = delete;
  TimelineScope& operator=(const TimelineScope&) = delete;

 private:
  TimelineRow* row_;
};

}  // namespace convoy
