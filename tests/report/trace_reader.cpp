#include "report/trace_reader.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace convoy::test {
namespace {

using Thread = std::pair<int, int>;

// Nanoseconds, as the writer counts: sums of rounded numbers are off by less.
std::int64_t exact(double microseconds) {
  return std::llround(microseconds * 1e3);
}

void expect_nested(const std::vector<ReadInterval>& sorted, const std::string& row) {
  std::vector<const ReadInterval*> open;
  for (const ReadInterval& interval : sorted) {
    while (!open.empty() && exact(open.back()->end) <= exact(interval.begin)) open.pop_back();
    EXPECT_TRUE(open.empty() || exact(interval.end) <= exact(open.back()->end))
        << row << ": " << interval.name << " overlaps " << open.back()->name;
    open.push_back(&interval);
  }
}

}  // namespace

const std::vector<ReadInterval>& ReadTrace::row(int rank, const std::string& name) const {
  static const std::vector<ReadInterval> none;
  const auto found = rows.find({rank, name});
  return found == rows.end() ? none : found->second;
}

std::vector<ReadInterval> ReadTrace::all(int rank, const std::string& row, const std::string& name) const {
  std::vector<ReadInterval> found;
  for (const auto& [key, intervals] : rows)
    if (key.first == rank && key.second.starts_with(row))
      std::ranges::copy_if(intervals, std::back_inserter(found),
                           [&](const ReadInterval& interval) { return interval.name == name; });
  return found;
}

ReadTrace read_trace(const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text);
  ReadTrace trace;
  trace.first_step = json.at("otherData").at("first step");
  trace.last_step = json.at("otherData").at("last step");
  std::map<int, std::string> processes;
  std::map<Thread, std::string> names;
  std::map<Thread, std::vector<ReadInterval>> threads;
  for (const nlohmann::json& event : json.at("traceEvents")) {
    const Thread thread{event.at("pid"), event.at("tid")};
    const std::string name = event.at("name");
    if (event.at("ph") == "M") {
      if (name == "process_name") processes[thread.first] = event.at("args").at("name");
      if (name == "thread_name") names[thread] = event.at("args").at("name");
      continue;
    }
    EXPECT_EQ(event.at("ph"), "X");
    const double begin = event.at("ts"), duration = event.at("dur");
    EXPECT_GE(begin, 0);
    EXPECT_GE(duration, 0);
    threads[thread].push_back(
        {name, begin, begin + duration, event.at("args").get<std::map<std::string, std::int64_t>>()});
  }
  for (const auto& [rank, name] : processes) {
    EXPECT_EQ(rank, static_cast<int>(trace.processes.size())) << "a rank is missing";
    trace.processes.push_back(name);
  }
  for (auto& [thread, intervals] : threads) {
    EXPECT_TRUE(names.contains(thread)) << "a thread without a name";
    std::ranges::stable_sort(intervals, [](const ReadInterval& left, const ReadInterval& right) {
      return exact(left.begin) != exact(right.begin) ? left.begin < right.begin : left.end > right.end;
    });
    expect_nested(intervals, names[thread]);
    const bool added = trace.rows.emplace(std::pair(thread.first, names[thread]), intervals).second;
    EXPECT_TRUE(added) << "two rows of a rank are named " << names[thread];
  }
  return trace;
}

double shared_time(const std::vector<ReadInterval>& left, const std::vector<ReadInterval>& right) {
  double shared = 0;
  for (const ReadInterval& one : left)
    for (const ReadInterval& other : right)
      shared += std::max(0.0, std::min(one.end, other.end) - std::max(one.begin, other.begin));
  return shared;
}

}  // namespace convoy::test
