// The forms of --deadline: durations, points in time, words, and what is refused.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include "base/error.hpp"
#include "settings/deadline.hpp"

namespace convoy {
namespace {

using Kind = Deadline::Kind;

std::string refusal(const std::string& text) {
  try {
    parse_deadline(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::usage);
    return error.what();
  }
  return "not refused";
}

TEST(DeadlineText, Durations) {
  const std::pair<const char*, std::int64_t> expected[] = {
      {"90s", 90},          {"45m", 2700}, {"2h30m", 9000}, {"1d", 86'400},
      {"1d2h3m4s", 93'784}, {" 10s ", 10}, {"0h5s", 5}};
  for (const auto& [text, seconds] : expected) {
    EXPECT_EQ(parse_deadline(text).kind, Kind::after) << text;
    EXPECT_EQ(parse_deadline(text).seconds, seconds) << text;
  }
}

TEST(DeadlineText, Words) {
  EXPECT_EQ(parse_deadline("none").kind, Kind::none);
  EXPECT_EQ(parse_deadline("auto").kind, Kind::job);
}

// In the time of the machine, or of Greenwich.
TEST(DeadlineText, PointsInTime) {
  ASSERT_EQ(::setenv("TZ", "EST5", 1), 0);  // five hours behind Greenwich, without summer time
  ::tzset();
  EXPECT_EQ(parse_deadline("1970-01-02T00:00Z").seconds, 86'400);
  EXPECT_EQ(parse_deadline("1970-01-02T00:00").seconds, 86'400 + 5 * 3600);
  EXPECT_EQ(parse_deadline("2026-12-01T08:00:30").seconds, parse_deadline("2026-12-01T13:00:30Z").seconds);
  EXPECT_EQ(parse_deadline("2026-12-01 08:00").seconds, parse_deadline("2026-12-01T13:00Z").seconds);
  EXPECT_EQ(parse_deadline("2026-12-01T08:00").kind, Kind::at);
  ::unsetenv("TZ");
  ::tzset();
}

// What is written down reads back as the same.
TEST(DeadlineText, IsKeptAsItWasGiven) {
  for (const char* text : {"none", "auto", "2h30m", "2026-12-01T08:00"}) {
    EXPECT_EQ(parse_deadline(text).text, text);
  }
}

TEST(DeadlineText, WhatIsNoTime) {
  for (const char* text : {"",
                           "7200",
                           "2h30",
                           "h",
                           "30m2h",
                           "1h1h",
                           "0s",
                           "-5m",
                           "1.5h",
                           "2 h",
                           "12:00:00",
                           "never",
                           "9999999999s",
                           "40000d",
                           "2026-12-01",
                           "2026-13-01T08:00",
                           "2026-02-30T08:00",
                           "2026-12-01T24:00",
                           "2026-12-01T08:60",
                           "2026-12-1T08:00",
                           "2026-12-01T08:00+01:00",
                           "26-12-01T08:00",
                           "2026-12-01T08:00 and more",
                           "1960-01-01T00:00"}) {
    EXPECT_NE(refusal(text).find("2h30m, 45m or 90s"), std::string::npos) << "'" << text << "'";
  }
}

}  // namespace
}  // namespace convoy
