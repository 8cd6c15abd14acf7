// TensorBoard's files as an independent reader sees them: frames and checksums, scalars equal to
// metrics.jsonl, filters, histograms, a resumed run, a full disk.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "model/networks.hpp"
#include "report/event_reader.hpp"
#include "report/histogram.hpp"
#include "report/metrics_file.hpp"
#include "report/record_file.hpp"
#include "report/tensorboard_file.hpp"
#include "support/file_size_limit.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

RunRecord start_record(std::int64_t step = 0) {
  RunRecord record;
  record.attempt = step > 0 ? 2 : 1;
  record.step = record.logged_step = step;
  record.configuration = "model = alexnet-mini\nlr = 0.01\noutput = a|b\n";
  record.hosts = {"a", "b", "a"};
  record.devices = {"CPU", "CPU", "CPU"};
  return record;
}

StepRecord step_record(std::int64_t step) {
  StepRecord record;
  const double number = static_cast<double>(step);
  record.step = step;
  record.epoch = number / 10;
  record.loss = 7 / number;
  record.top1 = 0.1 + number / 1e4;
  record.rate = 0.01;
  record.images_per_second = 100 + number;
  record.input_seconds = 0.5, record.forward_seconds = 0.25, record.backward_seconds = 0.125;
  record.exposed_seconds = 0.0625, record.update_seconds = 0.03125;
  return record;
}

// All values of a scalar in order.
std::vector<std::pair<std::int64_t, float>> curve(const std::vector<ReadEvent>& events,
                                                  const std::string& tag) {
  std::vector<std::pair<std::int64_t, float>> points;
  for (const ReadEvent& event : events)
    if (const auto found = event.scalars.find(tag); found != event.scalars.end())
      points.emplace_back(event.step, found->second);
  return points;
}

TEST(RecordFile, FramesAreRead) {
  const TemporaryFolder folder;
  RecordFile file(folder / "records");
  const std::vector<std::string> records = {"", "a", std::string(1000, '\0') + "b"};
  for (const std::string& record : records) file.append(record);
  EXPECT_EQ(read_records(read_text_file(folder / "records")), records);
  EXPECT_THROW(RecordFile(folder / "records"), Error) << "a file is never continued by another writer";
}

// Of the format's documentation: the masked checksum of the length 0 and of nothing.
TEST(RecordFile, AnEmptyRecordHasTheseBytes) {
  const std::string frame = framed_record("");
  ASSERT_EQ(frame.size(), 16U);
  EXPECT_EQ(frame.substr(0, 8), std::string(8, '\0'));
  EXPECT_EQ(frame.substr(8, 4), "\x29\x03\x98\x07");   // 0x07980329
  EXPECT_EQ(frame.substr(12, 4), "\xd8\xea\x82\xa2");  // 0xa282ead8
}

TEST(TensorboardFile, BeginsWithVersionStartAndSettings) {
  const TemporaryFolder folder;
  const Log log;
  TensorboardFile(folder.path(), log).on_start(start_record());
  const std::vector<ReadEvent> events = read_events(folder.path());
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].file_version, "brain.Event:2");
  EXPECT_GT(events[0].wall_time, 1.7e9);
  EXPECT_TRUE(events[1].starts_session);
  EXPECT_NE(events[2].texts.at("configuration").find("| lr | 0.01 |"), std::string::npos);
  EXPECT_NE(events[2].texts.at("configuration").find("| output | a\\|b |"), std::string::npos);
  EXPECT_NE(events[2].texts.at("environment").find("| ranks | 1 on a, b |"), std::string::npos);
  // Options that decide the result, numbers as numbers.
  EXPECT_EQ(events[2].settings,
            (std::map<std::string, std::string>{{"model", "alexnet-mini"}, {"lr", "number 0.01"}}));
}

TEST(TensorboardFile, ScalarsAreThoseOfMetricsFile) {
  const TemporaryFolder folder;
  const Log log;
  MetricsFile metrics(folder.path(), log);
  TensorboardFile file(folder.path(), log);
  for (Observer* observer : std::initializer_list<Observer*>{&metrics, &file}) {
    observer->on_start(start_record());
    for (const std::int64_t step : {20, 40}) observer->on_step(step_record(step));
    observer->on_validation({.step = 40, .epoch = 4, .samples = 9, .loss = 2.5, .top1 = 0.1, .top5 = 0.7});
  }
  const std::vector<ReadEvent> events = read_events(folder.path());
  std::istringstream lines(read_text_file(folder / "metrics.jsonl"));
  std::size_t compared = 0;
  const auto expect = [&](const ReadEvent& event, const std::string& tag, double value) {
    EXPECT_EQ(event.scalars.at(tag), static_cast<float>(value)) << tag;
    ++compared;
  };
  std::size_t next = 3;
  for (std::string line; std::getline(lines, line); ++next) {
    const nlohmann::json json = nlohmann::json::parse(line);
    ASSERT_LT(next, events.size());
    const ReadEvent& event = events[next];
    EXPECT_EQ(event.step, json["step"]);
    const bool step = json["kind"] == "step";
    for (const char* key : {"loss", "top1", "top5"})
      if (json.contains(key)) expect(event, std::string(step ? "train/" : "val/") + key, json[key]);
    for (const char* key : {"lr", "epoch", "images_per_second"})
      if (step) expect(event, key, json[key]);
    if (step)
      for (const auto& [key, value] : json["seconds"].items()) expect(event, "seconds/" + key, value);
    EXPECT_EQ(event.scalars.size(), step ? 10U : 3U);
  }
  EXPECT_EQ(next, events.size());
  EXPECT_EQ(compared, 23U);
}

TEST(TensorboardFile, TheLossScaleIsThereWhereItApplies) {
  const TemporaryFolder folder;
  const Log log;
  TensorboardFile file(folder.path(), log);
  file.on_start(start_record());
  StepRecord record = step_record(20);
  file.on_step(record);
  record.loss_scale = 1024;
  file.on_step(record);
  EXPECT_EQ(curve(read_events(folder.path()), "loss_scale"),
            (std::vector<std::pair<std::int64_t, float>>{{20, 1024.0F}}));
}

TEST(TensorboardFile, AResumedRunHasEachStepOnce) {
  const TemporaryFolder folder;
  const Log log;
  {
    TensorboardFile file(folder.path(), log);
    file.on_start(start_record());
    for (const std::int64_t step : {20, 40, 60}) file.on_step(step_record(step));
  }
  TensorboardFile file(folder.path(), log);
  file.on_start(start_record(40));
  for (const std::int64_t step : {60, 80}) {
    StepRecord record = step_record(step);
    record.loss = 1;
    file.on_step(record);
  }
  const std::vector<ReadEvent> all = read_events(folder.path());
  EXPECT_EQ(curve(all, "train/loss").size(), 5U);
  EXPECT_EQ(
      curve(kept_events(all), "train/loss"),
      (std::vector<std::pair<std::int64_t, float>>{
          {20, static_cast<float>(7.0 / 20)}, {40, static_cast<float>(7.0 / 40)}, {60, 1.0F}, {80, 1.0F}}));
}

// A file of a later attempt must be read later, on a machine whose clock is behind too.
TEST(TensorboardFile, NamesAscend) {
  const std::string first = event_file_name(1000, 1, {});
  EXPECT_TRUE(first.starts_with("events.out.tfevents.0000001000.")) << first;
  EXPECT_LT(first, event_file_name(1000, 2, {first}));
  EXPECT_LT(first, event_file_name(7, 10, {first}));
  EXPECT_TRUE(event_file_name(2000, 2, {first, "events.out.tfevents.x"})
                  .starts_with("events.out.tfevents.0000002000."));
}

TEST(TensorboardFile, FiltersAreAnImage) {
  const TemporaryFolder folder;
  const Log log;
  TensorboardFile file(folder.path(), log);
  file.on_start(start_record());
  const ParameterTable table(make_network("alexnet-mini", {.classes = 3, .dropout = {}}));
  const std::vector<float> parameters(table.size(), 0.5F);
  file.on_weights({.step = 9, .table = table, .parameters = parameters, .gradients = {}});
  const ReadEvent event = read_events(folder.path()).back();
  EXPECT_EQ(event.step, 9);
  ASSERT_EQ(event.images.size(), 1U);
  const ReadImage& image = event.images.at("filters/conv1");
  EXPECT_TRUE(image.bytes.starts_with("\x89PNG"));
  EXPECT_EQ(image.colours, 3);
  EXPECT_GT(image.width, 100);
  EXPECT_GT(image.height, 100);
  EXPECT_TRUE(event.histograms.empty());
}

TEST(TensorboardFile, HistogramsAreOfEachTensor) {
  const TemporaryFolder folder;
  const Log log;
  TensorboardFile file(folder.path(), log);
  file.on_start(start_record());
  const ParameterTable table(make_network("alexnet-mini", {.classes = 3, .dropout = {}}));
  std::vector<float> parameters(table.size()), gradients(table.size());
  for (const Parameter& parameter : table.parameters()) {
    std::fill_n(parameters.begin() + static_cast<std::ptrdiff_t>(parameter.offset), parameter.elements,
                static_cast<float>(parameter.ordinal + 1));
    gradients[parameter.offset] = -2;
  }
  file.on_weights({.step = 9, .table = table, .parameters = parameters, .gradients = gradients});
  const ReadEvent event = read_events(folder.path()).back();
  EXPECT_EQ(event.histograms.size(), 2 * table.parameters().size());
  for (const Parameter& parameter : table.parameters()) {
    const double elements = static_cast<double>(parameter.elements);
    const ReadHistogram& weights = event.histograms.at("weights/" + parameter.path());
    EXPECT_EQ(weights.count, elements);
    EXPECT_EQ(weights.min, parameter.ordinal + 1);
    EXPECT_EQ(weights.max, parameter.ordinal + 1);
    EXPECT_EQ(weights.sum, elements * (parameter.ordinal + 1));
    const ReadHistogram& gradient = event.histograms.at("gradients/" + parameter.path());
    EXPECT_EQ(gradient.count, elements);
    EXPECT_EQ(gradient.sum, -2);
    EXPECT_EQ(gradient.sum_squares, 4);
    EXPECT_EQ(gradient.limits.size(), gradient.counts.size());
  }
}

TEST(TensorboardFile, AFullDiskLosesRecordsAndNothingElse) {
  const TemporaryFolder folder;
  const Log log;
  TensorboardFile file(folder.path(), log);
  file.on_start(start_record());
  file.on_step(step_record(20));
  testing::internal::CaptureStderr();
  {
    const auto size = std::filesystem::file_size(std::filesystem::directory_iterator(folder.path())->path());
    const FileSizeLimit full(size + 100);  // in the middle of the next record
    for (const std::int64_t step : {40, 60}) file.on_step(step_record(step));
  }
  file.on_step(step_record(80));
  const std::string warnings = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(warnings, '\n'), 1) << warnings;
  EXPECT_NE(warnings.find("the run continues"), std::string::npos) << warnings;
  const auto points = curve(read_events(folder.path()), "train/loss");
  ASSERT_EQ(points.size(), 2U);
  EXPECT_EQ(points[1].first, 80);
}

TEST(TensorboardFile, AFolderThatCannotBeWrittenIsAWarning) {
  const TemporaryFolder folder;
  const Log log;
  testing::internal::CaptureStderr();
  TensorboardFile file(folder / "is not there", log);
  file.on_start(start_record());
  file.on_step(step_record(20));
  file.on_validation({.step = 20});
  const std::string warnings = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(warnings, '\n'), 1) << warnings;
}

TEST(Histogram, CountsEachValueInItsBucket) {
  std::vector<float> values = {0.0F,
                               -0.0F,
                               1e-13F,
                               -1e-13F,
                               1e-12F,
                               -1e-12F,
                               1e30F,
                               -1e30F,
                               1.0F,
                               -1.0F,
                               std::numeric_limits<float>::max(),
                               std::numeric_limits<float>::denorm_min()};
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 0.01F);
  for (int i = 0; i < 5000; ++i) values.push_back(normal(random));
  const Histogram histogram = histogram_of(values);
  EXPECT_EQ(histogram.count, static_cast<double>(values.size()));
  EXPECT_EQ(histogram.min, -1e30F);
  EXPECT_EQ(histogram.max, std::numeric_limits<float>::max());
  double sum = 0, squares = 0;
  std::vector<double> counts(histogram.limits.size());
  EXPECT_TRUE(std::ranges::is_sorted(histogram.limits, std::less_equal<>()));  // no two are equal
  for (const float value : values) {
    sum += value;
    squares += double{value} * value;
    const auto bucket = std::ranges::upper_bound(histogram.limits, double{value});
    ASSERT_NE(bucket, histogram.limits.end());
    ++counts[static_cast<std::size_t>(bucket - histogram.limits.begin())];
  }
  EXPECT_EQ(histogram.sum, sum);
  EXPECT_EQ(histogram.sum_squares, squares);
  EXPECT_EQ(histogram.counts, counts);
  EXPECT_GT(counts.front(), 0);
  EXPECT_GT(counts.back(), 0);
  const std::vector<float> one = {0.5F};
  EXPECT_EQ(histogram_of(one).counts, std::vector<double>{1});
  for (std::size_t i = 1; i < counts.size(); ++i)
    EXPECT_FALSE(counts[i] == 0 && counts[i - 1] == 0) << "empty buckets are merged";
}

TEST(Histogram, ValuesThatAreNotFiniteCountNowhere) {
  const std::vector<float> values = {std::numeric_limits<float>::quiet_NaN(), static_cast<float>(infinity),
                                     static_cast<float>(-infinity), 2.0F};
  const Histogram histogram = histogram_of(values);
  EXPECT_EQ(histogram.count, 1);
  EXPECT_EQ(histogram.sum, 2);
  EXPECT_EQ(histogram.min, 2);
  const Histogram none = histogram_of(std::span(values).first(3));
  EXPECT_EQ(none.count, 0);
  EXPECT_TRUE(none.limits.empty());
}

}  // namespace
}  // namespace convoy::test
