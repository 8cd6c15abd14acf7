// What is printed depends on the terminal: colour, lines that are overwritten, the width of texts.
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/log.hpp"
#include "base/progress_meter.hpp"
#include "base/terminal.hpp"
#include "base/text_wrap.hpp"

namespace convoy {
namespace {

class Terminal : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"CONVOY_PROGRESS", "CONVOY_MESSAGES", "NO_COLOR", "OMPI_COMM_WORLD_SIZE"})
      unsetenv(name);
    setenv("TERM", "xterm", 1);
  }
};

TEST_F(Terminal, RanksBelieveTheLaunchScripts) {
  setenv("CONVOY_PROGRESS", "live", 1);
  EXPECT_TRUE(can_redraw(Stream::output));
  EXPECT_TRUE(shows_colour(Stream::output));
  setenv("CONVOY_MESSAGES", "plain", 1);
  EXPECT_FALSE(can_redraw(Stream::messages));
}

TEST_F(Terminal, NoColourWhereNobodyWantsIt) {
  setenv("CONVOY_PROGRESS", "live", 1);
  setenv("NO_COLOR", "1", 1);
  EXPECT_TRUE(can_redraw(Stream::output));
  EXPECT_FALSE(shows_colour(Stream::output));
  setenv("NO_COLOR", "", 1);
  EXPECT_TRUE(shows_colour(Stream::output)) << "set to nothing is not set";
  setenv("TERM", "dumb", 1);
  EXPECT_FALSE(can_redraw(Stream::output));
  EXPECT_FALSE(shows_colour(Stream::output));
}

TEST_F(Terminal, MessagesByTheirImportance) {
  const auto printed = [](LogLevel level, int rank) {
    testing::internal::CaptureStderr();
    const Log log(rank, 2, level);
    log.debug("d");
    log.info("i");
    log.warn("w");
    log.error("e");
    std::string words;
    const std::string text = testing::internal::GetCapturedStderr();
    for (const char* word : {"debug: d", "info: i", "warning: w", "error: e"})
      if (text.find(word) != std::string::npos) words += word[0];
    return words;
  };
  EXPECT_EQ(printed(LogLevel::debug, 0), "diwe");
  EXPECT_EQ(printed(LogLevel::info, 0), "iwe");
  EXPECT_EQ(printed(LogLevel::warning, 0), "we");
  EXPECT_EQ(printed(LogLevel::error, 0), "e");
  EXPECT_EQ(printed(LogLevel::debug, 1), "we");
}

TEST_F(Terminal, AMessageErasesTheLiveLineAndDrawsTheStatusAgain) {
  setenv("CONVOY_MESSAGES", "live", 1);
  testing::internal::CaptureStderr();
  const Log log;
  log.status("half");
  log.warn("careful");
  log.status("");
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(text.starts_with(live_line("half") + std::string(erase_live_line))) << text;
  EXPECT_TRUE(text.ends_with("careful\n" + live_line("half") + std::string(erase_live_line))) << text;
}

TEST_F(Terminal, NothingIsDrawnInAFile) {
  setenv("CONVOY_MESSAGES", "plain", 1);
  testing::internal::CaptureStderr();
  {
    const Log log;
    log.status("half");
    ProgressMeter meter(log, "train", 100);
    meter.show(50);
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "and no line of progress in the first seconds";
}

TEST(Texts, AreWrappedByCharacters) {
  EXPECT_EQ(wrapped("one two three", 7), "one two\nthree");
  EXPECT_EQ(wrapped("one two three", 7, 2), "one two\n  three");
  EXPECT_EQ(wrapped("××××× ×", 7), "××××× ×");
  EXPECT_EQ(wrapped("incomprehensible a", 4), "incomprehensible\na");
  EXPECT_EQ(wrapped("", 4), "");
}

}  // namespace
}  // namespace convoy
