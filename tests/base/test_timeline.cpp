// Timelines: what is recorded when, and that open intervals end with the recording.
#include <gtest/gtest.h>

#include <thread>

#include "base/timeline.hpp"

namespace convoy {
namespace {

TEST(Timeline, RecordsBetweenStartAndStop) {
  Timeline timeline;
  TimelineRow& row = timeline.row("steps");
  EXPECT_EQ(&timeline.row("steps"), &row);
  const double before = timeline_now();
  { const TimelineScope early(&row, "early"); }
  const TimelineScope across(&row, "begun before");
  timeline.start();
  row.add("reported late", before, timeline_now());
  {
    const TimelineScope outer(&row, "outer", {{"step", 3}});
    const TimelineScope inner(&row, "inner");
  }
  const TimelineScope nowhere(nullptr, "nowhere");
  const TimelineScope open(&timeline.row("added later"), "open");
  const std::vector<TimelineTrack> tracks = timeline.stop();
  { const TimelineScope late(&row, "late"); }
  EXPECT_TRUE(timeline.stop()[0].events.empty());

  ASSERT_EQ(tracks.size(), 2U);
  EXPECT_EQ(tracks[0].name, "steps");
  ASSERT_EQ(tracks[0].events.size(), 2U);
  const TimelineEvent &inner = tracks[0].events[0], &outer = tracks[0].events[1];
  EXPECT_EQ(inner.name, "inner");
  EXPECT_EQ(outer.name, "outer");
  EXPECT_EQ(outer.numbers, (std::vector<TimelineEvent::Number>{{"step", 3}}));
  EXPECT_LE(before, outer.begin);
  EXPECT_LE(outer.begin, inner.begin);
  EXPECT_LE(inner.begin, inner.end);
  EXPECT_LE(inner.end, outer.end);
  ASSERT_EQ(tracks[1].events.size(), 1U);
  EXPECT_EQ(tracks[1].events[0].name, "open (unfinished)");
  EXPECT_GE(tracks[1].events[0].end, outer.end);
}

TEST(Timeline, ThreadsRecordAtOnce) {
  constexpr int threads = 4, intervals = 1000;
  Timeline timeline;
  timeline.start();
  {
    std::vector<std::jthread> running;
    for (int i = 0; i < threads; ++i)
      running.emplace_back([&timeline, i] {
        TimelineRow& row = timeline.row(std::to_string(i));
        for (int k = 0; k < intervals; ++k) const TimelineScope scope(&row, "work");
      });
  }
  const std::vector<TimelineTrack> tracks = timeline.stop();
  ASSERT_EQ(tracks.size(), threads);
  for (const TimelineTrack& track : tracks) EXPECT_EQ(track.events.size(), intervals);
}

}  // namespace
}  // namespace convoy
