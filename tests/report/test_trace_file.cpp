// The trace's JSON: what ui.perfetto.dev requires of it, and how intervals that overlap are laid out.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/atomic_file.hpp"
#include "report/trace_file.hpp"
#include "report/trace_reader.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

TimelineRecord two_ranks() {
  const TimelineTrack steps{"steps",
                            {{"forward", 10.0, 10.25, {}},
                             {"conv1", 10.0, 10.125, {}},
                             {"backward", 10.25, 10.5, {}},
                             {"step", 10.0, 10.5, {{"step", 7}}}}};
  // The second begins in the first and ends after it.
  const TimelineTrack sums{
      "all-reduce", {{"bucket", 10.25, 10.375, {{"bucket", 0}}}, {"bucket", 10.3125, 10.5, {{"bucket", 1}}}}};
  return {.first_step = 7, .last_step = 7, .ranks = {{"here", {steps, sums}}, {"there", {steps, sums}}}};
}

TEST(TraceFile, RanksAreProcessesAndRowsThreads) {
  const ReadTrace trace = read_trace(trace_json(two_ranks()));
  ASSERT_EQ(trace.processes, (std::vector<std::string>{"rank 0 on here", "rank 1 on there"}));
  EXPECT_EQ(trace.rows.size(), 6U);
  for (int rank = 0; rank < 2; ++rank) {
    const std::vector<ReadInterval>& steps = trace.row(rank, "steps");
    ASSERT_EQ(steps.size(), 4U);
    EXPECT_EQ(steps[0].name, "step");
    EXPECT_EQ(steps[0].numbers.at("step"), 7);
    EXPECT_EQ(steps[0].begin, 0);
    EXPECT_EQ(steps[0].end, 500'000);  // microseconds
    EXPECT_EQ(steps[2].name, "conv1");
    EXPECT_EQ(steps[2].end, 125'000);
  }
}

TEST(TraceFile, IntervalsThatOverlapHaveRowsOfTheirOwn) {
  const ReadTrace trace = read_trace(trace_json(two_ranks()));
  EXPECT_EQ(trace.row(1, "all-reduce").size(), 1U);
  ASSERT_EQ(trace.row(1, "all-reduce (2)").size(), 1U);
  EXPECT_EQ(trace.row(1, "all-reduce (2)")[0].numbers.at("bucket"), 1);
}

TEST(TraceFile, AFolderThatIsNotThereIsAWarning) {
  const TemporaryFolder folder;
  const Log log;
  testing::internal::CaptureStderr();
  TraceFile(folder / "is not there" / "trace.json", log).on_timeline(two_ranks());
  EXPECT_NE(testing::internal::GetCapturedStderr().find("the run continues without its trace"),
            std::string::npos);
}

}  // namespace
}  // namespace convoy::test
