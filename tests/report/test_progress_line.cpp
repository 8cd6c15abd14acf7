// The progress display, on terminals of every width and in files.
#include <gtest/gtest.h>

#include <sstream>

#include "base/duration_text.hpp"
#include "report/progress_line.hpp"
#include "support/terminal_screen.hpp"

namespace convoy::test {
namespace {

RunRecord start_record() {
  RunRecord record;
  record.last_step = 900;
  record.epochs = 90;
  return record;
}

StepRecord step_record(double loss) {
  StepRecord step;
  step.step = 20, step.epoch = 2, step.loss = loss, step.top1 = 0.25, step.images_per_second = 99.6;
  step.seconds_left = 65;
  return step;
}

constexpr ValidationRecord validation = {
    .step = 20, .epoch = 2, .samples = 7, .loss = 1, .top1 = 0.5, .top5 = 1};

const std::string whole_line =
    "epoch 2.00/90  step 20/900  loss 2.5000  top-1 25.0%  100 images/s  ETA 1m05s";

// A display and the terminal on which it is.
class OnTerminal {
 public:
  explicit OnTerminal(std::size_t columns, bool colour = false) : columns_(columns), screen_(columns) {
    line_ = std::make_unique<ProgressLine>(
        out_, ProgressStyle{.live = true, .colour = colour, .columns = [this] { return columns_; }}, log_);
    line_->on_start(start_record());
  }

  ProgressLine& line() { return *line_; }
  void end() { line_.reset(); }
  void resize(std::size_t columns) {
    rows();
    columns_ = columns;
    screen_.resize(columns);
  }
  // Another program, or the log, writes to the same terminal.
  void write(const std::string& text) {
    rows();
    screen_.write(text);
  }
  // As the log does it.
  void log(const char* message) {
    write(std::string(erase_live_line));
    write(message);
  }
  std::vector<std::string> rows() {
    screen_.write(written());
    return screen_.rows();
  }
  std::string written() {
    std::string text = out_.str();
    out_.str("");
    return text;
  }

 private:
  std::ostringstream out_;
  const Log log_;
  std::size_t columns_;
  TerminalScreen screen_;
  std::unique_ptr<ProgressLine> line_;
};

using Rows = std::vector<std::string>;

TEST(ProgressLine, PlainLinesOffATerminal) {
  std::ostringstream out;
  const Log log;
  {
    ProgressLine line(out, {}, log);
    line.on_start(start_record());
    line.on_progress(step_record(3.5));
    line.on_step(step_record(2.5));
    line.on_validation(validation);
  }
  EXPECT_EQ(
      out.str(),
      whole_line + "\nepoch 2.00/90  validation: loss 1.0000  top-1 50.00%  top-5 100.00%  (7 images)\n");
}

TEST(ProgressLine, TheLiveLineIsOverwrittenAndStaysAtTheEnd) {
  OnTerminal terminal(100);
  terminal.line().on_step(step_record(12.5));
  terminal.line().on_progress(step_record(2.5));
  EXPECT_EQ(terminal.rows(), Rows{whole_line});
  terminal.end();
  terminal.write("$ ");
  EXPECT_EQ(terminal.rows(), (Rows{whole_line, "$"}));
}

TEST(ProgressLine, FieldsGiveWayOnANarrowTerminal) {
  const auto shown = [](std::size_t columns) {
    OnTerminal terminal(columns);
    terminal.line().on_progress(step_record(2.5));
    return terminal.rows();
  };
  EXPECT_EQ(shown(78), Rows{whole_line});
  EXPECT_EQ(shown(77), Rows{"epoch 2.00/90  loss 2.5000  top-1 25.0%  100 images/s  ETA 1m05s"});
  EXPECT_EQ(shown(60), Rows{"epoch 2.00/90  loss 2.5000  top-1 25.0%  ETA 1m05s"});
  EXPECT_EQ(shown(50), Rows{"epoch 2.00/90  loss 2.5000  ETA 1m05s"});
  EXPECT_EQ(shown(37), Rows{"epoch 2.00/90  loss 2.5000"});
  EXPECT_EQ(shown(10).size(), 1U) << "cut off by the terminal";
}

// Of hours of training, of thousands of epochs, with a loss that explodes.
TEST(ProgressLine, NeitherWrapsNorScrollsAtAnyWidth) {
  StepRecord long_record = step_record(123456789.5);
  long_record.step = 123456789, long_record.epoch = 12345.67, long_record.images_per_second = 1e6;
  long_record.seconds_left = 1e6;
  for (std::size_t columns = 1; columns <= 200; ++columns) {
    OnTerminal terminal(columns, true);
    for (int i = 0; i < 3; ++i) {
      terminal.line().on_progress(long_record);
      terminal.line().on_progress(step_record(2.5));
      terminal.line().on_step(long_record);
      ASSERT_EQ(terminal.rows().size(), 1U) << columns;
    }
  }
}

TEST(ProgressLine, ATerminalThatChangesItsWidthKeepsOneLine) {
  OnTerminal terminal(200);
  for (std::size_t columns = 199; columns >= 20; columns -= 7) {
    terminal.line().on_progress(step_record(2.5));
    terminal.resize(columns);
    terminal.line().on_progress(step_record(1.5));
    ASSERT_EQ(terminal.rows().size(), 1U) << columns;
    ASSERT_TRUE(terminal.rows()[0].starts_with("epoch 2.00/90")) << columns;
  }
  terminal.resize(120);
  terminal.line().on_progress(step_record(2.5));
  EXPECT_EQ(terminal.rows(), Rows{whole_line});
}

// mpirun's ranks may know only how wide the terminal was at the start.
TEST(ProgressLine, ATerminalThatIsNarrowerThanKnownCutsTheLineOff) {
  std::ostringstream out;
  const Log log;
  ProgressLine line(out, {.live = true, .columns = [] { return 200; }}, log);
  line.on_start(start_record());
  TerminalScreen screen(40);
  for (int i = 0; i < 3; ++i) line.on_progress(step_record(2.5));
  screen.write(out.str());
  ASSERT_EQ(screen.rows().size(), 1U);
  EXPECT_EQ(screen.rows()[0].substr(0, 39), whole_line.substr(0, 39));
}

TEST(ProgressLine, MessagesComeBetweenWithoutARest) {
  OnTerminal terminal(100);
  terminal.line().on_progress(step_record(2.5));
  terminal.log("10:00:00 convoy warning: 照片/写真 is slow\n");
  terminal.line().on_progress(step_record(2.5));
  terminal.log("10:00:01 convoy warning: short\n");
  EXPECT_EQ(terminal.rows(),
            (Rows{"10:00:00 convoy warning: 照片/写真 is slow", "10:00:01 convoy warning: short"}));
  terminal.line().on_progress(step_record(2.5));
  terminal.line().on_validation(validation);
  EXPECT_EQ(terminal.rows().size(), 3U);
  EXPECT_TRUE(terminal.rows()[2].starts_with("epoch 2.00/90  validation: loss 1.0000")) << terminal.rows()[2];
}

TEST(ProgressLine, FiguresAreEmphasisedOnlyInColour) {
  for (const bool colour : {false, true}) {
    OnTerminal terminal(100, colour);
    terminal.line().on_progress(step_record(2.5));
    EXPECT_EQ(terminal.written().find("loss \033[1m2.5000\033[0m") != std::string::npos, colour);
    terminal.line().on_validation(validation);
    EXPECT_EQ(terminal.written().find("\033[1m50.00%\033[0m") != std::string::npos, colour);
  }
}

// A stream that takes nothing, as standard output does when the disk is full or the pipe closed.
TEST(ProgressLine, LostLinesAreToldOnce) {
  std::ostringstream out;
  const Log log;
  ProgressLine line(out, {}, log);
  testing::internal::CaptureStderr();
  for (int i = 0; i < 3; ++i) {
    out.setstate(std::ios::badbit);
    line.on_step(step_record(2.5));
  }
  line.on_step(step_record(1.5));
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(said.find("progress lines are being lost"), said.rfind("progress lines are being lost")) << said;
  EXPECT_NE(said.find("warning"), std::string::npos) << said;
  EXPECT_EQ(out.str().find("loss 2.5"), std::string::npos);
  EXPECT_NE(out.str().find("loss 1.5"), std::string::npos) << "lines are tried again";
}

// Such as a pager on its first page: a step must not wait for its reader, however long.
TEST(ProgressLine, LinesThatNobodyReadsAreLeftOut) {
  std::ostringstream out;
  const Log log;
  bool reads = true;
  std::vector<double> waits;
  ProgressStyle style;
  style.ready = [&](double seconds) {
    waits.push_back(seconds);
    return reads;
  };
  ProgressLine line(out, style, log);
  testing::internal::CaptureStderr();
  line.on_step(step_record(3.5));
  reads = false;
  for (int i = 0; i < 3; ++i) line.on_step(step_record(2.5));
  reads = true;
  line.on_step(step_record(1.5));
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(waits, (std::vector<double>{1, 1, 0, 0, 0})) << "it waits once";
  EXPECT_NE(said.find("is not being read"), std::string::npos) << said;
  EXPECT_EQ(said.find("is not being read"), said.rfind("is not being read")) << said;
  EXPECT_EQ(out.str().find("loss 2.5"), std::string::npos);
  EXPECT_NE(out.str().find("loss 1.5"), std::string::npos);
}

TEST(Duration, ReadsWell) {
  EXPECT_EQ(duration_text(0.4), "0s");
  EXPECT_EQ(duration_text(59.6), "1m00s");
  EXPECT_EQ(duration_text(7620), "2h07m");
  EXPECT_EQ(duration_text(273600), "3d04h");
}

}  // namespace
}  // namespace convoy::test
