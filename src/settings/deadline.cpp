#include "settings/deadline.hpp"

#include <charconv>
#include <ctime>
#include <optional>

#include "base/error.hpp"
#include "settings/values.hpp"

namespace convoy {
namespace {

constexpr std::int64_t most_seconds = 1'000'000'000;  // thirty years

// Takes a number of at most `digits` digits from the front of `text`.
std::optional<std::int64_t> take_number(std::string_view& text, std::size_t digits) {
  std::int64_t value = 0;
  const std::string_view part = text.substr(0, digits);
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
  if (error != std::errc() || value < 0 || part.front() == '-') return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - part.data()));
  return value;
}

bool take(std::string_view& text, char expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(1);
  return true;
}

// "1d2h30m10s": units descend, each at most once.
std::optional<std::int64_t> duration(std::string_view text) {
  constexpr std::string_view units = "dhms";
  constexpr std::int64_t lengths[] = {86'400, 3'600, 60, 1};
  std::int64_t seconds = 0;
  std::size_t next = 0;
  do {
    const auto number = take_number(text, 9);
    const auto unit = number && !text.empty() ? units.find(text.front(), next) : std::string_view::npos;
    if (unit == std::string_view::npos) return std::nullopt;
    seconds += *number * lengths[unit];
    next = unit + 1;
    text.remove_prefix(1);
  } while (!text.empty());
  return seconds;
}

// A field of exactly two digits behind `separator`.
bool take_field(std::string_view& text, char separator, int& field) {
  if (!take(text, separator)) return false;
  const std::size_t before = text.size();
  const auto number = take_number(text, 2);
  if (!number || before - text.size() != 2) return false;
  field = static_cast<int>(*number);
  return true;
}

// Seconds after 1970 of "2026-12-01T08:00[:30][Z]"; none if there is no such time.
std::optional<std::int64_t> point_in_time(std::string_view text) {
  std::tm time{};
  const auto year = take_number(text, 4);
  if (!year || !take_field(text, '-', time.tm_mon) || !take_field(text, '-', time.tm_mday))
    return std::nullopt;
  const char separator = text.starts_with(' ') ? ' ' : 'T';
  if (!take_field(text, separator, time.tm_hour) || !take_field(text, ':', time.tm_min)) return std::nullopt;
  if (text.starts_with(':') && !take_field(text, ':', time.tm_sec)) return std::nullopt;
  const bool utc = take(text, 'Z');
  if (!text.empty()) return std::nullopt;
  time.tm_year = static_cast<int>(*year) - 1900;
  --time.tm_mon;
  time.tm_isdst = -1;
  std::tm regular = time;  // the library moves the 31st of April to the 1st of May
  const std::time_t seconds = utc ? ::timegm(&regular) : ::mktime(&regular);
  const bool exists = regular.tm_mon == time.tm_mon && regular.tm_mday == time.tm_mday &&
                      regular.tm_hour == time.tm_hour && regular.tm_min == time.tm_min &&
                      regular.tm_sec == time.tm_sec;
  if (!exists || seconds < 0) return std::nullopt;
  return seconds;
}

}  // namespace

Deadline parse_deadline(std::string_view text) {
  const std::string_view given = trimmed(text);
  Deadline deadline;
  deadline.text = given;
  if (given == "none") return deadline;
  if (given == "auto") {
    deadline.kind = Deadline::Kind::job;
    return deadline;
  }
  if (const auto seconds = duration(given); seconds && *seconds >= 1 && *seconds <= most_seconds) {
    deadline.kind = Deadline::Kind::after;
    deadline.seconds = *seconds;
    return deadline;
  }
  if (const auto seconds = point_in_time(given)) {
    deadline.kind = Deadline::Kind::at;
    deadline.seconds = *seconds;
    return deadline;
  }
  fail(ExitCode::usage,
       "'{}' is not a time: write how long after the start, such as 2h30m, 45m or 90s, a time of day such as "
       "2026-12-01T08:00, auto (the end of the Slurm job) or none",
       text);
}

}  // namespace convoy
