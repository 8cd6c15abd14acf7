#include <gtest/gtest.h>

#include <limits>

#include "base/error.hpp"
#include "settings/values.hpp"

namespace convoy {
namespace {

template <typename Work>
std::string refusal(Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::usage);
    return error.what();
  }
  return "not refused";
}

TEST(Values, WholeNumbers) {
  EXPECT_EQ(parse_integer("128", 1, 1000), 128);
  EXPECT_EQ(parse_integer(" -1 ", -1, 1000), -1);
  for (const char* text : {"", "12x", "1.5", "1e3", "0", "1001", "99999999999999999999"})
    EXPECT_NE(refusal([&] { parse_integer(text, 1, 1000); }).find("from 1 to 1000"), std::string::npos)
        << text;
}

// A bound that a number misses is told, also where it is the type's.
TEST(Values, WholeNumbersBeyondTheirType) {
  constexpr std::int64_t any = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(parse_integer("9223372036854775807", 1, any), any);
  EXPECT_EQ(refusal([] { parse_integer("9223372036854775808", 1, any); }),
            "'9223372036854775808' is not a whole number from 1 to 9223372036854775807");
  EXPECT_EQ(refusal([] { parse_integer("0", 1, any); }), "'0' is not a whole number of at least 1");
  EXPECT_EQ(refusal([] { parse_integer("1e3", 1, any); }), "'1e3' is not a whole number of at least 1");
  EXPECT_EQ(parse_unsigned("18446744073709551615"), 18446744073709551615U);
  EXPECT_EQ(parse_unsigned(" 0 "), 0U);
  for (const char* text : {"18446744073709551616", "-1", "", "0x10", "1.0", "7 8"})
    EXPECT_NE(refusal([&] { parse_unsigned(text); }).find("from 0 to 18446744073709551615"),
              std::string::npos)
        << text;
}

TEST(Values, RealNumbers) {
  constexpr Bounds unit{.least = 0, .most = 1};
  EXPECT_EQ(parse_real("5e-4", unit), 5e-4);
  EXPECT_EQ(parse_real("1/255", unit), 1.0 / 255);
  for (const char* text : {"", "x", "nan", "inf", "-0.1", "2", "1/0", "1/", "0.1 0.2"})
    EXPECT_NE(refusal([&] { parse_real(text, unit); }), "not refused") << text;
}

// An end that does not belong to the numbers is said so.
TEST(Values, BoundsOfRealNumbers) {
  EXPECT_EQ(parse_real("1", {.least = 0, .most = 1}), 1);
  EXPECT_EQ(refusal([] { parse_real("1", {.least = 0, .most = 1, .below = true}); }),
            "'1' is not a number of at least 0 and less than 1");
  EXPECT_EQ(refusal([] { parse_real("0", {.least = 0, .above = true}); }),
            "'0' is not a number greater than 0");
  EXPECT_EQ(refusal([] { parse_real("0", {.least = 0, .most = 1, .above = true}); }),
            "'0' is not a number greater than 0 and at most 1");
  EXPECT_EQ(refusal([] { parse_real("-1", {.least = 0}); }), "'-1' is not a number of at least 0");
  EXPECT_EQ(refusal([] { parse_real("x", {}); }), "'x' is not a number");
  EXPECT_EQ(parse_real("-1e300", {}), -1e300);
}

TEST(Values, Bytes) {
  EXPECT_EQ(parse_bytes("1GB"), 1'000'000'000u);
  EXPECT_EQ(parse_bytes("1 MiB"), 1'048'576u);
  EXPECT_EQ(parse_bytes("512"), 512u);
  EXPECT_EQ(parse_bytes("1.5kB"), 1500u);
  for (const char* text : {"", "GB", "0", "1XB", "-1"})
    EXPECT_NE(refusal([&] { parse_bytes(text); }), "not refused") << text;
}

TEST(Values, Intervals) {
  EXPECT_EQ(parse_interval("500steps").count, 500);
  EXPECT_FALSE(parse_interval("500steps").epochs);
  EXPECT_TRUE(parse_interval("1epoch").epochs);
  EXPECT_EQ(parse_interval("2 epochs").count, 2);
  EXPECT_EQ(parse_interval("0").count, 0);
  for (const char* text : {"", "500", "1.5epochs", "epochs", "3 minutes"})
    EXPECT_NE(refusal([&] { parse_interval(text); }).find("500steps"), std::string::npos) << text;
  for (const char* text : {"1000000001steps", "9223372036854775808epochs"})
    EXPECT_NE(refusal([&] { parse_interval(text); }).find("at most 1000000000 steps or epochs"),
              std::string::npos)
        << text;
  EXPECT_EQ(parse_interval("never").count, 0);
  EXPECT_TRUE(parse_interval("never").never);
  EXPECT_FALSE(parse_interval("0").never);
  for (const char* text : {"500steps", "1epoch", "1step", "3epochs", "0", "never"})
    EXPECT_EQ(interval_text(parse_interval(text)), text);
}

TEST(Values, RangesOfSteps) {
  EXPECT_EQ(parse_step_range("11-30").first, 11);
  EXPECT_EQ(parse_step_range(" 11 - 30 ").last, 30);
  EXPECT_EQ(step_range_text(parse_step_range("5")), "5-5");
  EXPECT_EQ(step_range_text(parse_step_range("1-1000")), "1-1000");
  for (const char* text : {"", "-", "5-", "-5", "0-3", "7-3", "1-2-3", "a-b", "1.5-3", "9223372036854775807"})
    EXPECT_NE(refusal([&] { parse_step_range(text); }).find("11-30"), std::string::npos) << text;
  EXPECT_NE(refusal([] { parse_step_range("1-1001"); }).find("at most 1000"), std::string::npos);
}

TEST(Values, DatedRates) {
  const DatedRate rate = parse_dated_rate("0.01, 25:0.001, 51:1e-4");
  EXPECT_EQ(rate.first, 0.01);
  ASSERT_EQ(rate.later.size(), 2u);
  EXPECT_EQ(rate.later[1], (std::pair<double, double>(51, 1e-4)));
  for (const char* text : {"", "x", "0.01,", "0.01, 25", "0.01, 25:x", "0.01, 51:1, 25:1", "-1", "0.01, 0:1",
                           "1e999", "1e39", "nan", "inf", "0x10", "0.01, 2:1e39"})
    EXPECT_NE(refusal([&] { parse_dated_rate(text); }), "not refused") << text;
}

TEST(Values, RateRules) {
  EXPECT_EQ(parse_rate_rule("x2").factor, 2.0);
  EXPECT_FALSE(parse_rate_rule("x2").own.has_value());
  EXPECT_EQ(parse_rate_rule("0.002").own->first, 0.002);
  EXPECT_NE(refusal([] { parse_rate_rule("x"); }), "not refused");
  EXPECT_NE(refusal([] { parse_rate_rule("twice"); }), "not refused");
}

TEST(Values, WordsNameWhatIsAccepted) {
  const std::vector<std::pair<std::string_view, int>> words = {{"cosine", 1}, {"constant", 2}};
  EXPECT_EQ(parse_word<int>("cosine", words), 1);
  const std::string text = refusal([&] { parse_word<int>("cosin", words); });
  EXPECT_EQ(text, "'cosin' is not one of cosine, constant (did you mean cosine?)");
}

}  // namespace
}  // namespace convoy
