#include <gtest/gtest.h>

#include "plan/quantities.hpp"
#include "plan/text_table.hpp"
#include "support/expect_error.hpp"

namespace convoy::test {
namespace {

TEST(Quantities, HaveUnits) {
  EXPECT_DOUBLE_EQ(parse_seconds("5us"), 5e-6);
  EXPECT_DOUBLE_EQ(parse_seconds("14µs"), 14e-6);
  EXPECT_DOUBLE_EQ(parse_seconds(" 1 ms "), 1e-3);
  EXPECT_DOUBLE_EQ(parse_seconds("0s"), 0);
  EXPECT_DOUBLE_EQ(parse_bandwidth("400Gb/s"), 50e9);
  EXPECT_DOUBLE_EQ(parse_bandwidth("1.5GB/s"), 1.5e9);
  for (const char* text : {"", "5", "ms", "-1ms", "5 minutes", "nans"})
    expect_error(ExitCode::usage, {}, [&] { parse_seconds(text); });
  for (const char* text : {"", "400", "0GB/s", "400Gbit", "-1MB/s"})
    expect_error(ExitCode::usage, {}, [&] { parse_bandwidth(text); });
}

TEST(Quantities, TimeLimitsAreSlurms) {
  EXPECT_EQ(parse_time_limit("90"), 5400);
  EXPECT_EQ(parse_time_limit("90:30"), 5430);
  EXPECT_EQ(parse_time_limit("12:00:00"), 43200);
  EXPECT_EQ(parse_time_limit("1-12"), 129600);
  EXPECT_EQ(parse_time_limit("1-12:30"), 131400);
  EXPECT_EQ(parse_time_limit("2-00:00:10"), 172810);
  EXPECT_EQ(time_limit_text(43200), "12:00:00");
  EXPECT_EQ(time_limit_text(172810), "2-00:00:10");
  for (const char* text : {"", "0", "1:2:3:4", "noon", "1-", ":", "1::2"})
    expect_error(ExitCode::usage, {}, [&] { parse_time_limit(text); });
}

TEST(Quantities, RankCountsAscend) {
  EXPECT_EQ(parse_rank_counts("1, 2,8"), (std::vector<int>{1, 2, 8}));
  for (const char* text : {"", "0", "2,1", "2,2", "1,,2", "a"})
    expect_error(ExitCode::usage, {}, [&] { parse_rank_counts(text); });
}

TEST(TextTable, IsMarkdownWithAlignedColumns) {
  TextTable table({"ranks", "µs"});
  table.add({"8", "1,000.5"});
  EXPECT_EQ(table.text(),
            "| ranks |      µs |\n"
            "| ----- | ------: |\n"
            "| 8     | 1,000.5 |\n");
}

}  // namespace
}  // namespace convoy::test
