// MLPerf's log: the lines' form, the order of phases, and what the keys hold.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/atomic_file.hpp"
#include "report/mlperf_log.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

using nlohmann::json;

TrainConfiguration configuration_in(const TemporaryFolder& folder) {
  TrainConfiguration configuration;
  configuration.output = folder.path().string();
  configuration.global_batch = 30;
  configuration.schedule.rate.first = 0.02;
  return configuration;
}

// 100 images in batches of 30: 4 steps an epoch.
RunRecord start_record(std::int64_t step = 0) {
  RunRecord record;
  record.step = step;
  record.last_step = 8;
  record.steps_per_epoch = 4;
  record.training_images = 100;
  record.validation_images = 50;
  record.model = "alexnet-mini";
  record.ranks = 2;
  record.devices = {"CPU", "CPU"};
  return record;
}

std::vector<json> lines_of(const TemporaryFolder& folder) {
  std::istringstream text(read_text_file(folder / "mllog.txt"));
  std::vector<json> lines;
  for (std::string line; std::getline(text, line);) {
    const std::string token = ":::MLLOG ";
    EXPECT_TRUE(line.starts_with(token + "{\"namespace\": \"\", \"time_ms\": ")) << line;
    lines.push_back(json::parse(line.substr(token.size())));
  }
  return lines;
}

std::vector<std::string> phases_of(const std::vector<json>& lines) {
  std::vector<std::string> phases;
  for (const json& line : lines)
    if (line["event_type"] != "POINT_IN_TIME") phases.push_back(line["key"]);
  return phases;
}

json only(const std::vector<json>& lines, const std::string& key) {
  json found;
  for (const json& line : lines) {
    if (line["key"] != key) continue;
    EXPECT_TRUE(found.is_null()) << key << " is there twice";
    found = line;
  }
  EXPECT_FALSE(found.is_null()) << key << " is not there";
  return found;
}

void train_an_epoch(Observer& log, std::int64_t first_step) {
  log.on_moment({Moment::epoch_begins, first_step});
  log.on_moment({Moment::epoch_ends, first_step + 4});
  log.on_moment({Moment::validation_begins, first_step + 4});
  log.on_validation(
      {.step = first_step + 4, .epoch = 1, .samples = 50, .loss = 1, .top1 = 0.25, .top5 = 0.5});
}

TEST(MlperfLog, PhasesEncloseEachOther) {
  const TemporaryFolder folder;
  const Log log;
  MlperfLog mllog(configuration_in(folder), log);
  mllog.on_start(start_record());
  mllog.on_moment({Moment::training_begins, 0});
  train_an_epoch(mllog, 0);
  train_an_epoch(mllog, 4);
  mllog.on_event({.step = 8, .what = "done", .text = ""});
  const std::vector<json> lines = lines_of(folder);
  EXPECT_EQ(phases_of(lines),
            (std::vector<std::string>{"init_start", "init_stop", "run_start", "block_start", "epoch_start",
                                      "epoch_stop", "block_stop", "eval_start", "eval_stop", "block_start",
                                      "epoch_start", "epoch_stop", "block_stop", "eval_start", "eval_stop",
                                      "run_stop"}));
  for (const json& line : lines) {
    const std::string key = line["key"];
    if (line["event_type"] != "POINT_IN_TIME") {
      EXPECT_EQ(line["event_type"], key.ends_with("_start") ? "INTERVAL_START" : "INTERVAL_END") << key;
    }
    EXPECT_EQ(line["metadata"]["file"], "src/report/mlperf_log.cpp");
    EXPECT_GT(line["metadata"]["lineno"], 0);
    EXPECT_GT(line["time_ms"], 1'700'000'000'000);
  }
  EXPECT_EQ(lines.back()["metadata"]["status"], "success");
  const auto accuracy =
      std::ranges::find(lines, "eval_accuracy", [](const json& line) { return line["key"]; });
  EXPECT_EQ((*accuracy)["value"], 0.25);
  EXPECT_EQ((*accuracy)["metadata"]["epoch_num"], 1);
  EXPECT_EQ((*accuracy)["metadata"]["samples_count"], 100);
}

TEST(MlperfLog, SettingsHaveTheirKeys) {
  const TemporaryFolder folder;
  const Log log;
  MlperfLog(configuration_in(folder), log).on_start(start_record());
  const std::vector<json> lines = lines_of(folder);
  EXPECT_EQ(only(lines, "submission_benchmark")["value"], "alexnet-mini");
  EXPECT_EQ(only(lines, "global_batch_size")["value"], 30);
  EXPECT_EQ(only(lines, "micro_batch_size")["value"], 15);
  EXPECT_EQ(only(lines, "train_samples")["value"], 100);
  EXPECT_EQ(only(lines, "eval_samples")["value"], 50);
  EXPECT_EQ(only(lines, "opt_name")["value"], "sgd");
  EXPECT_EQ(only(lines, "opt_base_learning_rate")["value"], 0.02);
  EXPECT_EQ(only(lines, "seed")["value"], 1);
}

TEST(MlperfLog, ARunThatStopsOrFailsIsAborted) {
  const TemporaryFolder folder;
  const Log log;
  {
    MlperfLog mllog(configuration_in(folder), log);
    mllog.on_start(start_record());
    mllog.on_moment({Moment::training_begins, 0});
    mllog.on_moment({Moment::epoch_begins, 0});
    mllog.on_event({.step = 3, .what = "stop", .text = ""});
  }
  {
    MlperfLog mllog(configuration_in(folder), log);
    mllog.on_start(start_record(3));
    mllog.on_moment({Moment::training_begins, 3});  // and an error ends it
  }
  const std::vector<json> lines = lines_of(folder);
  EXPECT_EQ(phases_of(lines), (std::vector<std::string>{"init_start", "init_stop", "run_start", "block_start",
                                                        "epoch_start", "block_stop", "run_stop", "init_start",
                                                        "init_stop", "run_start", "run_stop"}));
  for (const json& line : lines) {
    if (line["key"] != "run_stop") continue;
    EXPECT_EQ(line["metadata"]["status"], "aborted");
  }
  EXPECT_EQ(only(lines, "init_checkpoint_step")["value"], 3);
  EXPECT_EQ(lines.back()["metadata"]["samples_count"], 90);
  EXPECT_EQ(lines.back()["metadata"]["epoch_num"], 0.75);
}

}  // namespace
}  // namespace convoy::test
