#include "report/trace_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/atomic_file.hpp"
#include "base/error.hpp"

namespace convoy {
namespace {

using Json = nlohmann::ordered_json;

// Nanoseconds, so that what ends where the next one begins does so in the file too.
std::int64_t nanoseconds(double seconds) {
  return std::llround(seconds * 1e9);
}

struct Interval {
  const TimelineEvent* event;
  std::int64_t begin, end;
};

// Intervals that nest or follow each other, in rows of their own.
using Lanes = std::vector<std::vector<Interval>>;

Lanes lanes_of(const TimelineTrack& track, double origin) {
  std::vector<Interval> intervals;
  for (const TimelineEvent& event : track.events)
    intervals.push_back({&event, nanoseconds(event.begin - origin), nanoseconds(event.end - origin)});
  std::ranges::stable_sort(intervals, [](const Interval& left, const Interval& right) {
    return left.begin != right.begin ? left.begin < right.begin : left.end > right.end;
  });
  Lanes lanes;
  std::vector<std::vector<std::int64_t>> open;  // ends of each lane's intervals that have not ended
  for (const Interval& interval : intervals) {
    std::size_t lane = 0;
    for (; lane < lanes.size(); ++lane) {
      std::erase_if(open[lane], [&](std::int64_t end) { return end <= interval.begin; });
      if (open[lane].empty() || open[lane].back() >= interval.end) break;
    }
    if (lane == lanes.size()) {
      lanes.emplace_back();
      open.emplace_back();
    }
    lanes[lane].push_back(interval);
    open[lane].push_back(interval.end);
  }
  return lanes;
}

double first_begin(const TimelineRecord& record) {
  double first = std::numeric_limits<double>::infinity();
  for (const RankTimeline& rank : record.ranks)
    for (const TimelineTrack& track : rank.tracks)
      for (const TimelineEvent& event : track.events) first = std::min(first, event.begin);
  return first;
}

Json metadata(const char* name, std::size_t rank, int thread, const Json& arguments) {
  return {{"ph", "M"}, {"name", name}, {"pid", rank}, {"tid", thread}, {"args", arguments}};
}

void append_lane(Json& events, const std::vector<Interval>& lane, std::size_t rank, int thread,
                 const std::string& name) {
  events.push_back(metadata("thread_name", rank, thread, {{"name", name}}));
  events.push_back(metadata("thread_sort_index", rank, thread, {{"sort_index", thread}}));
  for (const Interval& interval : lane) {
    Json arguments = Json::object();
    for (const auto& [key, number] : interval.event->numbers) arguments[key] = number;
    events.push_back({{"ph", "X"},
                      {"name", interval.event->name},
                      {"cat", name},
                      {"pid", rank},
                      {"tid", thread},
                      {"ts", static_cast<double>(interval.begin) / 1e3},
                      {"dur", static_cast<double>(interval.end - interval.begin) / 1e3},
                      {"args", std::move(arguments)}});
  }
}

}  // namespace

std::string trace_json(const TimelineRecord& record) {
  const double origin = first_begin(record);
  Json events = Json::array();
  for (std::size_t rank = 0; rank < record.ranks.size(); ++rank) {
    const RankTimeline& timeline = record.ranks[rank];
    events.push_back(
        metadata("process_name", rank, 0, {{"name", fmt::format("rank {} on {}", rank, timeline.host)}}));
    events.push_back(metadata("process_sort_index", rank, 0, {{"sort_index", rank}}));
    int thread = 0;
    for (const TimelineTrack& track : timeline.tracks) {
      const Lanes lanes = lanes_of(track, origin);
      for (std::size_t lane = 0; lane < lanes.size(); ++lane)
        append_lane(events, lanes[lane], rank, ++thread,
                    lane == 0 ? track.name : fmt::format("{} ({})", track.name, lane + 1));
    }
  }
  const Json file = {
      {"displayTimeUnit", "ms"},
      {"otherData",
       {{"program", "convoy"}, {"first step", record.first_step}, {"last step", record.last_step}}},
      {"traceEvents", std::move(events)}};
  return file.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

TraceFile::TraceFile(std::filesystem::path path, const Log& log) : path_(std::move(path)), log_(log) {}

void TraceFile::on_timeline(const TimelineRecord& record) {
  try {
    write_file_atomically(path_, trace_json(record));
    log_.info("the trace of steps {} to {} is in {}: open it at ui.perfetto.dev or chrome://tracing",
              record.first_step, record.last_step, path_.string());
  } catch (const Error& error) {
    log_.warn("{}: the run continues without its trace", error.what());
  }
}

}  // namespace convoy
