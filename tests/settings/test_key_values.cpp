// Lines of configuration files: the start of a comment, quotation marks, and lines that are refused.
#include <gtest/gtest.h>

#include "settings/key_values.hpp"
#include "support/expect_error.hpp"

namespace convoy {
namespace {

std::string value_in(const std::string& line) {
  const std::vector<KeyValue> values = read_key_values(line, "try.cfg");
  EXPECT_EQ(values.size(), 1U) << line;
  return values.empty() ? "" : values[0].value;
}

TEST(KeyValues, ACommentBeginsAfterABlank) {
  EXPECT_EQ(value_in("output = runs/out#1"), "runs/out#1");
  EXPECT_EQ(value_in("output = runs/out#1 # the first"), "runs/out#1");
  EXPECT_EQ(value_in("output = runs/out\t# the first"), "runs/out");
  EXPECT_EQ(value_in("output = # nothing"), "");
  EXPECT_EQ(value_in("output = a ## b#c"), "a");
  EXPECT_TRUE(read_key_values("# output = a\n  # output = b\n\n#\n", "try.cfg").empty());
}

TEST(KeyValues, QuotationMarksKeepWhatIsBetween) {
  EXPECT_EQ(value_in("output = \"runs/out #1\""), "runs/out #1");
  EXPECT_EQ(value_in("output = \" a \"  # spaces at both ends"), " a ");
  EXPECT_EQ(value_in("output = say \"a\""), "say \"a\"");
  EXPECT_TRUE(read_key_values("# output = \"a # b\"", "try.cfg").empty());
  for (const char* line :
       {"output = \"runs", "output = \"", "output = \"a\" b", "output = \"a # b", "output = \"a\"# b"})
    test::expect_error(ExitCode::usage, {"try.cfg:1", "quotation marks"},
                       [&] { read_key_values(line, "try.cfg"); });
}

TEST(KeyValues, ALineNeedsAKey) {
  for (const char* line : {"lr", " = 3", "=", "net: \"train_val.prototxt\""})
    test::expect_error(ExitCode::usage, {"try.cfg:2", "is not of the form key = value"},
                       [&] { read_key_values(std::string("\n") + line, "try.cfg"); });
}

TEST(KeyValues, LinesOfWindows) {
  const std::vector<KeyValue> values = read_key_values("lr = 0.1\r\n\r\noutput = a b \r\n", "try.cfg");
  ASSERT_EQ(values.size(), 2U);
  EXPECT_EQ(values[0].value, "0.1");
  EXPECT_EQ(values[1].value, "a b");
  EXPECT_EQ(values[1].line, 3);
}

TEST(KeyValues, WhatTheProgramWroteIsTakenAsItIs) {
  const std::vector<KeyValue> values = written_key_values("output = a # b\n");
  ASSERT_EQ(values.size(), 1U);
  EXPECT_EQ(values[0].value, "a # b");
}

}  // namespace
}  // namespace convoy
