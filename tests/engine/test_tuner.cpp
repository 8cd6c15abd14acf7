// The tuner takes the fastest candidate whose result is right, by measurement, from memory or by rule.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "engine/fake_question.hpp"
#include "support/expect_error.hpp"

namespace convoy::test {
namespace {

using Names = std::vector<std::string>;

const std::vector<FakeCandidate> three = {{"first", 3}, {"second", 1}, {"third", 2}};

TunerOptions measuring() {
  TunerOptions options;
  options.deterministic = false;
  return options;
}

std::string chosen(Tuner& tuner, FakeBench& bench, const std::vector<FakeCandidate>& candidates,
                   const std::string& key = "product 3 × 3") {
  return candidates[tuner.choose(fake_question(bench, candidates, key), bench)].name;
}

TEST(Tuner, TakesTheFastestAndSaysWhatTheOthersTook) {
  FakeBench bench;
  Tuner tuner(measuring());
  EXPECT_EQ(chosen(tuner, bench, three), "second");
  ASSERT_EQ(tuner.decisions().size(), 1U);
  const Decision& decision = tuner.decisions().front();
  EXPECT_EQ(decision.chosen, "second");
  EXPECT_EQ(decision.source, DecisionSource::measured);
  ASSERT_EQ(decision.trials.size(), 3U);
  EXPECT_EQ(decision.trials[0].outcome, TrialOutcome::slower);
  EXPECT_EQ(decision.trials[1].outcome, TrialOutcome::chosen);
  EXPECT_EQ(decision.trials[2].milliseconds, 2);
  EXPECT_EQ(decision_text(decision),
            "fc6, forward: second 1 ms (measured); first 3.00 × as long, third 2.00 × as long");
  EXPECT_EQ(bench.prepared, 3);  // each candidate meets fresh operands
}

TEST(Tuner, OfEquallyFastOnesTheEarlierIsTaken) {
  FakeBench bench;
  Tuner tuner(measuring());
  EXPECT_EQ(chosen(tuner, bench, {{"first", 2}, {"second", 1}, {"third", 1}}), "second");
}

TEST(Tuner, AWrongCandidateIsDroppedWithALineThatNamesIt) {
  const float missing = std::numeric_limits<float>::quiet_NaN();
  const std::vector<std::vector<float>> wrong = {{1, 2, 4.1F}, {1, 2}, {1, missing, 4}, {1, 2, INFINITY}};
  for (const std::vector<float>& values : wrong) {
    FakeBench bench;
    testing::internal::CaptureStderr();
    const Log log;
    TunerOptions options = measuring();
    options.log = &log;
    Tuner tuner(options);
    // 0.03 of 4 is within the tolerance of 0.01 of the largest value.
    EXPECT_EQ(chosen(tuner, bench, {{"first", 3}, {"quick", 1, values}, {"close", 2, {1, 2.03F, 4}}}),
              "close");
    const std::string lines = testing::internal::GetCapturedStderr();
    EXPECT_NE(lines.find("fc6, forward: the result of \"quick\""), std::string::npos) << lines;
    EXPECT_EQ(lines.find("close"), std::string::npos) << lines;
    EXPECT_EQ(tuner.decisions()[0].trials[1].outcome, TrialOutcome::wrong);
  }
}

TEST(Tuner, AFirstCandidateThatLeavesPlacesUnwrittenIsNotTheMeasureOfTheOthers) {
  FakeBench bench;
  Tuner tuner(measuring());
  const float missing = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(chosen(tuner, bench, {{"first", 1, {missing, 2, 4}}, {"second", 3}, {"third", 2}}), "third");
}

TEST(Tuner, ARefusedCandidateIsPassedOver) {
  FakeBench bench;
  Tuner tuner(measuring());
  EXPECT_EQ(chosen(tuner, bench, {{"first", 1, {1, 2, 4}, false}, {"second", 3}, {"third", 2}}), "third");
  EXPECT_EQ(tuner.decisions()[0].trials[0].outcome, TrialOutcome::refused);
  for (const bool deterministic : {false, true}) {
    Tuner none({.deterministic = deterministic});
    expect_error(ExitCode::device, {"no way to compute fc6, forward", "product 3 × 3"}, [&] {
      chosen(none, bench, {{"first", 1, {}, false}, {"second", 1, {}, false}});
    });
  }
}

TEST(Tuner, ByRuleTheFirstThatWorksIsTakenWithoutTiming) {
  const std::vector<FakeCandidate> candidates = {
      {"refused", 1, {}, false}, {"unordered sums", 3, {1, 2, 4}, true, false}, {"second", 2}, {"third", 1}};
  FakeBench bench;
  Tuner deterministic({.mode = TuneMode::automatic, .deterministic = true});
  EXPECT_EQ(chosen(deterministic, bench, candidates), "second");
  Tuner off({.mode = TuneMode::off, .deterministic = false});
  EXPECT_EQ(chosen(off, bench, candidates), "unordered sums");
  EXPECT_EQ(bench.timed, 0);
  EXPECT_EQ(off.decisions()[0].source, DecisionSource::rule);
}

// "Same inputs, same bits" must not depend on what an earlier start found.
TEST(Tuner, ByRuleMemoryIsNeitherReadNorWritten) {
  FakeBench bench;
  const auto memory = std::make_shared<FakeMemory>();
  TunerOptions options = measuring();
  options.memory = memory;
  Tuner first(options);
  EXPECT_EQ(chosen(first, bench, three), "second");
  options.deterministic = true;
  Tuner deterministic(options);
  EXPECT_EQ(chosen(deterministic, bench, three), "first");
  EXPECT_EQ(chosen(deterministic, bench, three, "another"), "first");
  EXPECT_EQ(memory->answers.size(), 1U);
}

TEST(Tuner, AKeptAnswerIsUsedUntilToldToMeasureAgain) {
  FakeBench bench;
  TunerOptions options = measuring();
  options.memory = std::make_shared<FakeMemory>();
  Tuner(options).choose(fake_question(bench, three), bench);
  const std::vector<FakeCandidate> other_times = {{"first", 1}, {"second", 2}, {"third", 3}};
  const int timed = bench.timed;
  Tuner second(options);
  EXPECT_EQ(chosen(second, bench, other_times), "second");
  EXPECT_EQ(bench.timed, timed);
  EXPECT_EQ(second.decisions()[0].source, DecisionSource::kept);
  EXPECT_EQ(second.decisions()[0].trials[1].milliseconds, 1);  // of the start that measured
  options.mode = TuneMode::again;
  Tuner again(options);
  EXPECT_EQ(chosen(again, bench, other_times), "first");
  options.mode = TuneMode::automatic;
  Tuner after(options);
  EXPECT_EQ(chosen(after, bench, three), "first");
}

TEST(Tuner, AKeptAnswerOfOtherCandidatesIsMeasuredAnewAndReplaced) {
  FakeBench bench;
  TunerOptions options = measuring();
  options.memory = std::make_shared<FakeMemory>();
  Tuner(options).choose(fake_question(bench, three), bench);
  const std::vector<FakeCandidate> more = {{"first", 3}, {"second", 1}, {"third", 2}, {"fourth", 0.5}};
  Tuner second(options);
  EXPECT_EQ(chosen(second, bench, more), "fourth");
  const int timed = bench.timed;
  Tuner third(options);
  EXPECT_EQ(chosen(third, bench, more), "fourth");
  EXPECT_EQ(bench.timed, timed);
}

TEST(Tuner, AnswersTheSameQuestionOnce) {
  FakeBench bench;
  Tuner tuner(measuring());
  chosen(tuner, bench, three);
  const int timed = bench.timed;
  Question question = fake_question(bench, three);
  question.what = "fc7, forward";
  EXPECT_EQ(tuner.choose(question, bench), 1U);
  EXPECT_EQ(tuner.alone().choose(question, bench), 1U);
  EXPECT_EQ(bench.timed, timed);
  ASSERT_EQ(tuner.decisions().size(), 2U);
  EXPECT_EQ(tuner.decisions()[1].what, "fc7, forward");
}

// The run that was told to stop gets a program, soon, and nothing half measured is kept.
TEST(Tuner, AStopEndsMeasuring) {
  FakeBench bench;
  const auto memory = std::make_shared<FakeMemory>();
  TunerOptions options = measuring();
  options.memory = memory;
  options.should_stop = [&] { return bench.timed >= 1; };
  Tuner tuner(options);
  EXPECT_EQ(chosen(tuner, bench, three), "first");
  EXPECT_EQ(chosen(tuner, bench, three, "another"), "first");
  EXPECT_EQ(bench.timed, 1);
  EXPECT_TRUE(memory->answers.empty());
}

// Whoever waits for a rank that measures is told that it goes on.
TEST(Tuner, TellsOfEachCandidateThatItMeasures) {
  FakeBench bench;
  TunerOptions options = measuring();
  int told = 0;
  options.progress = [&] {
    EXPECT_EQ(bench.prepared, told);
    ++told;
  };
  Tuner tuner(options);
  chosen(tuner, bench, three);
  chosen(tuner, bench, three);  // known
  EXPECT_EQ(told, 3);
}

TEST(Tuner, SaysHowLongItTook) {
  FakeBench bench;
  testing::internal::CaptureStderr();
  const Log log;
  TunerOptions options = measuring();
  options.log = &log;
  options.memory = std::make_shared<FakeMemory>();
  for (const char* key : {"a", "b"}) {
    Tuner tuner(options);
    chosen(tuner, bench, three, "a");
    chosen(tuner, bench, three, key);
    tuner.report();
    tuner.report();  // nothing new
  }
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_NE(lines.find("selecting algorithms took 0.0 s (1 measured, 0 kept)"), std::string::npos) << lines;
  EXPECT_NE(lines.find("selecting algorithms took 0.0 s (1 measured, 1 kept)"), std::string::npos) << lines;
  EXPECT_EQ(std::ranges::count(lines, '\n'), 2) << lines;
}

TEST(Tuner, AnAnswerOfRankZeroThatDoesNotExistHereEndsTheRun) {
  FakeBench bench;
  Tuner tuner({.deterministic = false, .leads = false, .agree = [](const std::string&) { return "plan 7"; }});
  expect_error(ExitCode::device, {"rank 0 computes fc6, forward by \"plan 7\"", "same version"},
               [&] { chosen(tuner, bench, three); });
}

}  // namespace
}  // namespace convoy::test
