// What a report takes from a run's folder: records, extremes of long runs, predictions and their figures.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "report/page/data_uri.hpp"
#include "report/page/prediction_summary.hpp"
#include "report/page/run_metrics.hpp"
#include "report/page/run_state.hpp"
#include "report/page/thinning.hpp"
#include "report/predictions_file.hpp"
#include "report/run_folders.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

TEST(RunMetrics, EveryValueOfEveryRecord) {
  const RunMetrics metrics = parse_metrics(sample_metrics({.steps = 40}));
  ASSERT_EQ(metrics.steps.rows(), 40U);
  EXPECT_EQ(metrics.steps[Column::step][1], 20);
  EXPECT_EQ(metrics.steps[Column::loss][1], 2.5 * std::exp(-2.0 / 50) + 0.1 * std::sin(2.0));
  EXPECT_EQ(metrics.steps[Column::input][1], 0.001 / 3);
  EXPECT_EQ(metrics.steps[Column::most][1], 0.07);
  EXPECT_EQ(metrics.steps[Column::attempt][39], 2);
  EXPECT_FALSE(metrics.steps.has(Column::seconds)) << "an object of seconds is no number of seconds";
  ASSERT_EQ(metrics.validations.rows(), 4U);
  EXPECT_EQ(metrics.validations[Column::top5][3], 0.9 - 0.3 / 4);
  EXPECT_EQ(metrics.checkpoints.size(), 4U);
  EXPECT_EQ(metrics.checkpoints[0].seconds, 0.5);
  EXPECT_EQ(metrics.events.size(), 3U);
  EXPECT_EQ(metrics.hosts.at(1), "b");
  EXPECT_EQ(metrics.unreadable, 0);
}

TEST(RunMetrics, DamagedLinesCostNoOthers) {
  const std::string good = R"({"kind":"step","step":5,"loss":1.5,"new":{"deep":[1,{"loss":9}]}})"
                           "\n";
  const RunMetrics metrics = parse_metrics(good + "garbage\n[1]\n{\"kind\":\"step\"}\n\n" +
                                           R"({"kind":"step","step":3,"loss":null})"
                                           "\n" +
                                           R"({"kind":"step","step":7,"lo)");
  ASSERT_EQ(metrics.steps.rows(), 2U);
  EXPECT_EQ(metrics.steps[Column::step], (std::vector<double>{3, 5})) << "ordered by step";
  EXPECT_TRUE(std::isnan(metrics.steps[Column::loss][0]));
  EXPECT_EQ(metrics.steps[Column::loss][1], 1.5);
  EXPECT_EQ(metrics.unreadable, 3) << "the incomplete last line is being written";
}

// Larger than a piece for one thread.
TEST(RunMetrics, LongFilesAreReadInPieces) {
  const SampleRun run{.steps = 30000};
  const std::string text = sample_metrics(run);
  ASSERT_GT(text.size(), std::size_t{9} << 20);
  const RunMetrics metrics = parse_metrics(text);
  ASSERT_EQ(metrics.steps.rows(), 30000U);
  for (std::size_t row = 0; row < metrics.steps.rows(); ++row)
    ASSERT_EQ(metrics.steps[Column::step][row], 10.0 * static_cast<double>(row + 1));
  EXPECT_EQ(metrics.validations.rows(), 3000U);
  EXPECT_EQ(metrics.unreadable, 0);
}

TEST(Thinning, KeepsTheExtremesOfEveryColumn) {
  constexpr std::size_t rows = 50000, columns = 100;
  std::mt19937 random(1);
  std::normal_distribution<double> noise;
  std::vector<double> x(rows), one(rows), other(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    x[i] = 20.0 * static_cast<double>(i + 1);
    one[i] = noise(random);
    other[i] = i % 977 == 0 ? std::nan("") : noise(random);
  }
  const std::vector<std::span<const double>> series = {one, other};
  const std::vector<std::size_t> kept = rows_to_draw(x, series, columns);
  EXPECT_LE(kept.size(), columns * 2 * 3 + 2);
  EXPECT_TRUE(std::ranges::is_sorted(kept));
  EXPECT_EQ(kept.front(), 0U);
  EXPECT_EQ(kept.back(), rows - 1);
  for (std::size_t column = 0; column < columns; ++column) {
    const std::size_t first = rows / columns * column, end = first + rows / columns;
    for (const std::span<const double> values : series) {
      double least = 1e9, most = -1e9, kept_least = 1e9, kept_most = -1e9;
      for (std::size_t i = first; i < end; ++i)
        if (!std::isnan(values[i])) least = std::min(least, values[i]), most = std::max(most, values[i]);
      for (const std::size_t i : kept)
        if (i >= first && i < end && !std::isnan(values[i]))
          kept_least = std::min(kept_least, values[i]), kept_most = std::max(kept_most, values[i]);
      EXPECT_EQ(kept_least, least) << "column " << column;
      EXPECT_EQ(kept_most, most) << "column " << column;
    }
  }
}

TEST(Thinning, ShortRunsStayWhole) {
  const std::vector<double> x = {1, 2, 5}, values = {3, std::nan(""), 1};
  const std::vector<std::span<const double>> series = {values};
  EXPECT_EQ(rows_to_draw(x, series, 10), (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_TRUE(rows_to_draw({}, series, 10).empty());
}

TEST(Thinning, AllRecordsOfOneStep) {
  const std::vector<double> x(5000, 7.0);
  std::vector<double> values(5000, 1.0);
  values[1234] = 9;
  const std::vector<std::span<const double>> series = {values};
  const std::vector<std::size_t> kept = rows_to_draw(x, series, 10);
  EXPECT_LT(kept.size(), 50U);
  EXPECT_NE(std::ranges::find(kept, 1234U), kept.end());
}

SamplePrediction prediction(std::uint32_t sample, std::int32_t truth, std::int32_t first, float probability) {
  return {.sample = sample,
          .truth = truth,
          .probability = probability,
          .top = {first, truth == first ? 9 : truth, 7, -1, -1}};
}

TEST(PredictionsFile, ReadsWhatItWrites) {
  const std::vector<SamplePrediction> samples = {prediction(0, 1, 1, 0.1F), prediction(1, 2, 0, 1e-30F)};
  const ValidationPredictions read = parse_predictions(predictions_to_text(375, samples), "here");
  EXPECT_EQ(read.step, 375);
  ASSERT_EQ(read.samples.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(read.samples[i].sample, samples[i].sample);
    EXPECT_EQ(read.samples[i].truth, samples[i].truth);
    EXPECT_EQ(read.samples[i].probability, samples[i].probability);
    EXPECT_EQ(read.samples[i].top, samples[i].top);
  }
}

TEST(PredictionsFile, DamageIsNamedWithItsLine) {
  const std::string good =
      predictions_to_text(5, std::vector{prediction(0, 1, 1, 0.5F), prediction(1, 2, 0, 0.5F)});
  EXPECT_NO_THROW(parse_predictions(good, "f"));
  expect_error(ExitCode::bad_data, {"f is not a file of predictions"}, [] { parse_predictions("", "f"); });
  expect_error(ExitCode::bad_data, {"f is not a file of predictions"},
               [] { parse_predictions("a,b\n1,2\n", "f"); });
  expect_error(ExitCode::bad_data, {"f:4", "sample,class"},
               [&] { parse_predictions(good.substr(0, good.size() - 6), "f"); });
  expect_error(ExitCode::bad_data, {"f:3"},
               [&] { parse_predictions(good.substr(0, good.find("\n0,")) + "\n0,1,x\n", "f"); });
}

TEST(PredictionsFile, TheLastAndTheBestAndNoneOfRepeatedSteps) {
  const TemporaryFolder folder;
  const Log log;
  PredictionsFile file(folder.path(), log);
  const std::vector<SamplePrediction> samples = {prediction(0, 1, 1, 0.5F)};
  EXPECT_TRUE(read_predictions(folder.path()).samples.empty());
  file.on_predictions({.step = 10, .best = true, .samples = samples});
  file.on_predictions({.step = 20, .best = false, .samples = samples});
  EXPECT_EQ(read_predictions(folder.path()).step, 10);
  EXPECT_TRUE(std::filesystem::exists(folder / "predictions-latest.csv"));
  RunRecord again;
  again.step = 15;
  file.on_start(again);
  EXPECT_FALSE(std::filesystem::exists(folder / "predictions-latest.csv"));
  EXPECT_EQ(read_predictions(folder.path()).step, 10);
  again.step = 0;
  file.on_start(again);
  EXPECT_TRUE(read_predictions(folder.path()).samples.empty());
}

TEST(PredictionSummary, CountsClassesAndPairs) {
  const std::vector<SamplePrediction> all = {prediction(0, 1, 1, 0.9F), prediction(1, 1, 2, 0.8F),
                                             prediction(2, 1, 2, 0.95F), prediction(3, 2, 2, 0.9F),
                                             prediction(4, 3, 1, 0.3F)};
  const PredictionSummary summary = summarise(all, 10);
  EXPECT_EQ(summary.images, 5);
  EXPECT_EQ(summary.wrong, 3);
  ASSERT_EQ(summary.classes.size(), 3U);
  EXPECT_EQ(summary.classes[0].index, 1);
  EXPECT_EQ(summary.classes[0].images, 3);
  EXPECT_EQ(summary.classes[0].wrong, 2);
  EXPECT_EQ(summary.classes[0].missed, 0);
  EXPECT_EQ(summary.classes[0].taken_for, 2);
  EXPECT_EQ(summary.classes[0].taken_count, 2);
  EXPECT_EQ(summary.classes[1].taken_for, -1);
  ASSERT_EQ(summary.pairs.size(), 2U);
  EXPECT_EQ(summary.pairs[0].truth, 1);
  EXPECT_EQ(summary.pairs[0].predicted, 2);
  EXPECT_EQ(summary.pairs[0].count, 2);
  EXPECT_EQ(summarise(all, 1).pairs.size(), 1U);
  const std::vector<SamplePrediction> sure = surest_wrong(all, 2);
  ASSERT_EQ(sure.size(), 2U);
  EXPECT_EQ(sure[0].sample, 2U);
  EXPECT_EQ(sure[1].sample, 1U);
  EXPECT_EQ(fair_sample(all, 2).size(), 2U);
  EXPECT_EQ(fair_sample(all, 20).size(), 5U);
}

TEST(DataUri, IsBase64) {
  EXPECT_EQ(data_uri("a/b", ""), "data:a/b;base64,");
  EXPECT_EQ(data_uri("a/b", "f"), "data:a/b;base64,Zg==");
  EXPECT_EQ(data_uri("a/b", "fo"), "data:a/b;base64,Zm8=");
  EXPECT_EQ(data_uri("a/b", "foo"), "data:a/b;base64,Zm9v");
  EXPECT_EQ(data_uri("a/b", "foobar"), "data:a/b;base64,Zm9vYmFy");
  EXPECT_EQ(data_uri("a/b", "\xff\xfe\xfd"), "data:a/b;base64,//79");
}

TEST(RunState, TheLastEventDecides) {
  const TemporaryFolder folder;
  const auto state_after = [&](const std::vector<std::string>& events) {
    RunMetrics metrics;
    for (const std::string& what : events)
      metrics.events.push_back({.step = 1, .what = what, .text = "", .seconds = 0});
    return standing_of(metrics, folder.path()).state;
  };
  EXPECT_EQ(state_after({"start", "done"}), RunState::finished);
  EXPECT_EQ(state_after({"start", "stop"}), RunState::stopped);
  EXPECT_EQ(state_after({"start", "stop", "resume", "warning", "diverged"}), RunState::diverged);
  EXPECT_EQ(state_after({"start", "stop", "resume"}), RunState::interrupted) << "nobody writes the folder";
  write_text(folder / "metrics.jsonl", "");
  EXPECT_EQ(state_after({"start"}), RunState::running) << "written a moment ago, and no lock says otherwise";
}

}  // namespace
}  // namespace convoy::test
