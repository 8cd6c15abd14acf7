// The observers of a run: the exact keys of metrics.jsonl, how a resumed run goes on in it, and run.json.
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "base/atomic_file.hpp"
#include "report/metrics_file.hpp"
#include "report/run_file.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

using nlohmann::json;

RunRecord start_record() {
  RunRecord record;
  record.last_step = 900;
  record.steps_per_epoch = 10;
  record.epochs = 90;
  record.model = "alexnet-mini";
  record.configuration = "model = alexnet-mini\nlr = 0.01, 25:0.001\n";
  record.hosts = {"a", "b"};
  record.ranks = 2;
  record.versions = {{"convoy", "1"}, {"mpi", "Open MPI"}};
  return record;
}

std::vector<json> lines_of(const std::filesystem::path& path) {
  std::istringstream text(read_text_file(path));
  std::vector<json> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(json::parse(line));
  return lines;
}

std::set<std::string> keys_of(const json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.insert(key);
  return keys;
}

TEST(MetricsFile, KeysAreThoseOthersRead) {
  TemporaryFolder folder;
  const Log log;
  MetricsFile file(folder.path(), log);
  file.on_start(start_record());
  file.on_event({.step = 0, .what = "start", .text = "started"});
  StepRecord step;
  step.step = 20, step.epoch = 2, step.samples = 640, step.loss = 2.5, step.top1 = 0.25, step.rate = 0.01;
  step.images_per_second = 100, step.input_seconds = 0.125;
  file.on_step(step);
  step.ranks = {.least = 0.5, .median = 0.75, .most = 1, .slowest = 3, .host = "node07"};
  file.on_step(step);
  file.on_validation({.step = 20, .epoch = 2, .samples = 50, .loss = 2, .top1 = 0.5, .top5 = 0.75});
  file.on_checkpoint({.step = 20, .path = "x.h5", .seconds = 0.5});
  const auto lines = lines_of(folder / "metrics.jsonl");
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_EQ(keys_of(lines[0]), (std::set<std::string>{"kind", "step", "what", "text"}));
  EXPECT_EQ(keys_of(lines[1]), (std::set<std::string>{"kind", "step", "epoch", "samples", "loss", "top1",
                                                      "lr", "images_per_second", "seconds", "attempt"}));
  EXPECT_EQ(keys_of(lines[1]["seconds"]),
            (std::set<std::string>{"input", "forward", "backward", "exposed", "update"}));
  EXPECT_EQ(lines[2]["ranks"],
            json::parse(R"({"least": 0.5, "median": 0.75, "most": 1.0, "slowest": 3, "host": "node07"})"));
  EXPECT_EQ(keys_of(lines[3]),
            (std::set<std::string>{"kind", "step", "epoch", "samples", "loss", "top1", "top5"}));
  EXPECT_EQ(keys_of(lines[4]), (std::set<std::string>{"kind", "step", "path", "seconds"}));
  EXPECT_EQ(lines[1]["kind"], "step");
  EXPECT_EQ(lines[1]["loss"], 2.5);
  EXPECT_EQ(lines[1]["lr"], 0.01);
  EXPECT_EQ(lines[1]["seconds"]["input"], 0.125);
  EXPECT_EQ(lines[1]["attempt"], 1);
}

TEST(MetricsFile, NotANumberBecomesNull) {
  TemporaryFolder folder;
  const Log log;
  MetricsFile file(folder.path(), log);
  file.on_start(start_record());
  StepRecord step;
  step.loss = std::numeric_limits<double>::quiet_NaN();
  file.on_step(step);
  EXPECT_TRUE(lines_of(folder / "metrics.jsonl").at(0)["loss"].is_null());
}

TEST(MetricsFile, AResumedRunHasEachStepOnce) {
  TemporaryFolder folder;
  const Log log;
  {
    MetricsFile file(folder.path(), log);
    file.on_start(start_record());
    for (const std::int64_t at : {20, 40, 60}) {
      StepRecord step;
      step.step = at;
      file.on_step(step);
      file.on_validation({.step = at});
    }
  }
  RunRecord again = start_record();
  again.attempt = 2, again.step = 40, again.logged_step = 40;
  MetricsFile file(folder.path(), log);
  file.on_start(again);
  StepRecord step;
  step.step = 60, step.attempt = 2;
  file.on_step(step);
  const auto lines = lines_of(folder / "metrics.jsonl");
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_EQ(lines[2]["step"], 40);
  EXPECT_EQ(lines[4]["step"], 60);
  EXPECT_EQ(lines[4]["attempt"], 2);
}

TEST(MetricsFile, ACutOffLineAndAnOpenWindowAreRemoved) {
  const std::string text =
      "{\"kind\":\"step\",\"step\":20}\n{\"kind\":\"step\",\"step\":25}\n{\"kind\":\"validation\",\"step\":"
      "25}\n{\"kind\":7,\"step\":30}\n{\"kind\":\"st";
  EXPECT_EQ(kept_metrics(text, 25, 20),
            "{\"kind\":\"step\",\"step\":20}\n{\"kind\":\"validation\",\"step\":25}\n");
}

TEST(RunFile, HoldsConfigurationVersionsAndTopology) {
  TemporaryFolder folder;
  const Log log;
  RunRecord record = start_record();
  record.attempt = 3;
  record.devices = {"NVIDIA H100 (GPU-1)", "NVIDIA H100 (GPU-2)"};
  record.collective = "nccl";
  record.store_fingerprint = "abc";
  RunFile(folder.path(), log).on_start(record);
  const json run = json::parse(read_text_file(folder / "run.json"));
  EXPECT_EQ(run["attempt"], 3);
  EXPECT_EQ(run["configuration"]["lr"], "0.01, 25:0.001");
  EXPECT_EQ(run["topology"]["devices"][1], "NVIDIA H100 (GPU-2)");
  EXPECT_EQ(run["topology"]["collective"], "nccl");
  EXPECT_EQ(run["versions"]["mpi"], "Open MPI");
  EXPECT_EQ(run["topology"]["ranks"], 2);
  EXPECT_EQ(run["topology"]["hosts"], json({"a", "b"}));
  EXPECT_EQ(run["store"]["fingerprint"], "abc");
}

TEST(RunFile, ListsWhichAlgorithmsWereChosen) {
  TemporaryFolder folder;
  const Log log;
  RunRecord record = start_record();
  RunFile file(folder.path(), log);
  file.on_start(record);
  EXPECT_EQ(json::parse(read_text_file(folder / "run.json"))["tuning"], json::array());
  record.tuning = {
      {.what = "conv2, forward",
       .key = "forward 27",
       .chosen = "plan 7",
       .source = DecisionSource::measured,
       .trials = {{"gemm", TrialOutcome::slower, 0.5, 0}, {"plan 7", TrialOutcome::chosen, 0.25, 1e-3}}},
      {.what = "fc6, forward",
       .key = "product",
       .chosen = "a",
       .source = DecisionSource::rank_zero,
       .trials = {}}};
  file.on_tuning(record);
  const json run = json::parse(read_text_file(folder / "run.json"));
  EXPECT_EQ(run["attempts"].size(), 1U);
  ASSERT_EQ(run["tuning"].size(), 2U);
  EXPECT_EQ(run["tuning"][0],
            json::parse(R"({"what": "conv2, forward", "key": "forward 27", "chosen": "plan 7",
    "source": "measured", "trials": [
      {"name": "gemm", "milliseconds": 0.5, "outcome": "slower", "difference": 0.0},
      {"name": "plan 7", "milliseconds": 0.25, "outcome": "chosen", "difference": 0.001}]})"));
  EXPECT_EQ(run["tuning"][1]["source"], "rank-0");
}

TEST(RunFile, SaysWhereTheTimeUntilTheFirstStepWent) {
  TemporaryFolder folder;
  const Log log;
  RunRecord record = start_record();
  RunFile file(folder.path(), log);
  file.on_start(record);
  EXPECT_FALSE(json::parse(read_text_file(folder / "run.json")).contains("startup"));
  record.startup = {{"MPI", 0.5}, {"compiling", 2.25}};
  file.on_startup(record);
  record.attempt = 2, record.startup = {};
  RunFile(folder.path(), log).on_start(record);
  const json run = json::parse(read_text_file(folder / "run.json"));
  ASSERT_EQ(run["attempts"].size(), 2U);
  EXPECT_EQ(run["attempts"][0]["startup"], json::parse(R"({"MPI": 0.5, "compiling": 2.25, "total": 2.75})"));
  EXPECT_FALSE(run["attempts"][1].contains("startup"));
}

TEST(RunFile, AnOldFileThatCannotBeReadIsReplacedWithAWarning) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder / "run.json";
  const auto warnings_of_start = [&] {
    testing::internal::CaptureStderr();
    const Log log;
    RunFile(folder.path(), log).on_start(start_record());
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(warnings_of_start(), "");
  EXPECT_EQ(warnings_of_start(), "");
  EXPECT_EQ(json::parse(read_text_file(path))["attempts"].size(), 2U);
  const auto expect_replaced = [&] {
    const std::string warnings = warnings_of_start();
    EXPECT_NE(warnings.find(path.string()), std::string::npos) << warnings;
    EXPECT_NE(warnings.find("the earlier attempts in it are lost"), std::string::npos) << warnings;
    EXPECT_EQ(json::parse(read_text_file(path))["attempts"].size(), 1U);
  };
  for (const char* damaged :
       {"", "{\"attempt\": 1, ", "[1, 2]", "{}", "{\"attempts\": 5}", "{\"attempts\": [1, 2]}"}) {
    write_file_atomically(path, damaged);
    expect_replaced();
  }
  for (const char* target : {".", "nowhere"}) {  // a folder and nothing, where reading fails
    std::filesystem::remove(path);
    std::filesystem::create_symlink(target, path);
    expect_replaced();
  }
}

TEST(RunFile, SaysWhatKeepsAResumedRunFromBeingTheSame) {
  RunRecord record = start_record();
  const std::string before = run_to_json(record);
  EXPECT_TRUE(run_differences(before, record).empty());
  record.ranks = 4;
  record.versions[1].second = "Open MPI 5";
  EXPECT_EQ(run_differences(before, record),
            (std::vector<std::string>{"ranks: 2 → 4", "mpi: \"Open MPI\" → \"Open MPI 5\""}));
  EXPECT_TRUE(run_differences("not JSON", record).empty());
}

TEST(RunFile, KeepsWhatEachAttemptWasStartedWith) {
  TemporaryFolder folder;
  const Log log;
  RunRecord record = start_record();
  RunFile(folder.path(), log).on_start(record);
  record.attempt = 2, record.step = 40, record.last_step = 1200;
  record.configuration = "model = alexnet-mini\nlr = 0.5\n";
  RunFile(folder.path(), log).on_start(record);
  record.attempt = 3, record.step = 60;
  RunFile(folder.path(), log).on_start(record);
  const json run = json::parse(read_text_file(folder / "run.json"));
  EXPECT_EQ(run["attempt"], 3);
  ASSERT_EQ(run["attempts"].size(), 3U);
  EXPECT_EQ(run["attempts"][0]["attempt"], 1);
  EXPECT_EQ(run["attempts"][0]["last_step"], 900);
  EXPECT_EQ(run["attempts"][0]["configuration"]["lr"], "0.01, 25:0.001");
  EXPECT_EQ(run["attempts"][1]["first_step"], 40);
  EXPECT_EQ(run["attempts"][1]["configuration"]["lr"], "0.5");
  EXPECT_EQ(run["attempts"][2]["first_step"], 60);
  // A file of an earlier version has no list.
  json old = run;
  old.erase("attempts");
  record.attempt = 4;
  const json next = json::parse(run_to_json(record, old.dump()));
  ASSERT_EQ(next["attempts"].size(), 2U);
  EXPECT_EQ(next["attempts"][0]["attempt"], 3);
  EXPECT_EQ(next["attempts"][1]["attempt"], 4);
}

}  // namespace
}  // namespace convoy::test
