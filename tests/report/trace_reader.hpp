// Reads a trace and expects what its readers require: complete events with times, names of processes and
// threads, and intervals of a thread that nest or follow each other.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace convoy::test {

struct ReadInterval {
  std::string name;
  double begin = 0, end = 0;  // microseconds
  std::map<std::string, std::int64_t> numbers;

  bool holds(const ReadInterval& other) const { return begin <= other.begin && other.end <= end; }
};

struct ReadTrace {
  std::int64_t first_step = 0, last_step = 0;
  std::vector<std::string> processes;  // by rank
  std::map<std::pair<int, std::string>, std::vector<ReadInterval>>
      rows;  // by rank and name; outer ones first

  // Empty where there is none.
  const std::vector<ReadInterval>& row(int rank, const std::string& name) const;
  // Of this name in rows of a rank whose names begin with `row`.
  std::vector<ReadInterval> all(int rank, const std::string& row, const std::string& name) const;
};

ReadTrace read_trace(const std::string& text);

// Microseconds that intervals of `left` and `right` share.
double shared_time(const std::vector<ReadInterval>& left, const std::vector<ReadInterval>& right);

}  // namespace convoy::test
