// `convoy report` and `convoy evaluate --predictions` as a user calls them, on a run of the real program.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "support/process.hpp"
#include "support/program_runs.hpp"

namespace convoy::test {
namespace {

using nlohmann::json;

const std::string program = CONVOY_PROGRAM;

class ReportCommand : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TemporaryFolder>();
    make_tiny_store(program, store());
    ASSERT_EQ(run(tiny_training(program, store(), trained(), {"--epochs", "2"})).code, 0);
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static std::string store() { return *folder_ / "store"; }
  static std::string trained() { return *folder_ / "trained"; }
  static std::filesystem::path place(const std::string& name) { return *folder_ / name; }

  static json data_of(const std::filesystem::path& page) {
    const std::string html = read_file(page);
    const std::string begin = "id=\"report-data\">";
    const std::size_t at = html.find(begin) + begin.size();
    return json::parse(html.substr(at, html.find("</script>", at) - at));
  }

  static void expect_refused(const std::vector<std::string>& arguments, int code,
                             const std::vector<std::string>& parts) {
    std::vector<std::string> command = {program, "report"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    for (const std::string& part : parts) EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
  }

 private:
  inline static std::unique_ptr<TemporaryFolder> folder_;
};

TEST_F(ReportCommand, ShowsTheImagesAndFiltersOfARun) {
  const Outcome outcome = run({program, "report", trained()});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  EXPECT_NE(outcome.out.find("report.html"), std::string::npos);
  const json of_run = data_of(place("trained") / "report.html")["runs"][0];
  EXPECT_EQ(of_run["state"], "finished");
  EXPECT_EQ(of_run["classes"].size(), 4U);
  EXPECT_EQ(of_run["predictions"]["images"], 32);
  EXPECT_EQ(of_run["predictions"]["fair"].size(), 24U);
  for (const json& picture : of_run["predictions"]["fair"])
    EXPECT_TRUE(picture["uri"].get<std::string>().starts_with("data:image/png;base64,"));
  std::int64_t images = 0, wrong = 0;
  for (const json& of_class : of_run["predictions"]["classes"]) {
    images += of_class[1].get<std::int64_t>();
    wrong += of_class[2].get<std::int64_t>();
  }
  EXPECT_EQ(images, 32);
  EXPECT_EQ(wrong, of_run["predictions"]["wrong"]);
  EXPECT_EQ(1 - of_run["best"]["top1"].get<double>(), static_cast<double>(wrong) / 32);
  EXPECT_TRUE(of_run["filters"]["uri"].get<std::string>().starts_with("data:image/png;base64,"));
}

TEST_F(ReportCommand, AStoreThatIsGoneCostsThePicturesAlone) {
  std::filesystem::rename(store(), place("moved"));
  const Outcome without = run({program, "report", trained(), "--output", place("without.html")});
  const Outcome with =
      run({program, "report", trained(), "--data", place("moved"), "--output", place("with.html")});
  std::filesystem::rename(place("moved"), store());
  EXPECT_EQ(without.code, 0) << without.err;
  EXPECT_NE(without.err.find("no pictures: the store"), std::string::npos) << without.err;
  EXPECT_NE(without.err.find("--data STORE"), std::string::npos) << without.err;
  const json run_without = data_of(place("without.html"))["runs"][0];
  EXPECT_FALSE(run_without["predictions"].contains("fair"));
  EXPECT_EQ(run_without["predictions"]["images"], 32);
  EXPECT_EQ(with.err, "");
  EXPECT_EQ(data_of(place("with.html"))["runs"][0]["predictions"]["fair"].size(), 24U);
}

TEST_F(ReportCommand, AnotherStoreIsNotShown) {
  ASSERT_EQ(run({program, "synthesize", place("other"), "--classes", "4", "--images", "16", "--val-images",
                 "32", "--seed", "9", "--image-size", "64"})
                .code,
            0);
  const Outcome outcome =
      run({program, "report", trained(), "--data", place("other"), "--output", place("other.html")});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.err.find("is not the store of the run"), std::string::npos) << outcome.err;
}

TEST_F(ReportCommand, RefusesWhatItCannotDo) {
  expect_refused({}, 64, {"RUN is missing"});
  expect_refused({place("nowhere")}, 64, {"nowhere", "no such folder"});
  expect_refused({place("trained") / "run.json"}, 64, {"run.json is a file", "output folder"});
  expect_refused({store()}, 64, {"holds no run"});
  expect_refused({trained(), "--watch=0"}, 64, {"--watch"});
  expect_refused({trained(), "--output", place("nowhere") / "page.html"}, 64, {"there is no folder"});
  expect_refused({trained(), "--output", trained()}, 64, {"is a folder"});
  expect_refused({trained(), "--output", "/dev/full/page.html"}, 64, {"/dev/full"});
}

TEST_F(ReportCommand, ComparesRuns) {
  std::filesystem::copy(
      trained(), place("again"),
      std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks);
  const Outcome outcome = run({program, "report", trained(), place("again"), "--output", place("two.html")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const json data = data_of(place("two.html"));
  ASSERT_EQ(data["runs"].size(), 2U);
  EXPECT_EQ(data["runs"][1]["name"], "again");
  EXPECT_EQ(data["runs"][0]["series"], data["runs"][1]["series"]);
}

// A run that is being written: its last event is a start.
TEST_F(ReportCommand, WatchingFollowsARun) {
  const std::filesystem::path folder = place("watched");
  std::filesystem::create_directories(folder);
  const auto add = [&](const std::string& line) {
    std::ofstream(folder / "metrics.jsonl", std::ios::app) << line << "\n";
  };
  add(R"({"kind":"event","step":0,"what":"start","text":"started"})");
  Process watch({program, "report", folder, "--watch=1"});
  ASSERT_TRUE(watch.wait_for_output("watching")) << watch.err();
  EXPECT_EQ(data_of(folder / "report.html")["reload"], 1);
  add(R"({"kind":"step","step":20,"epoch":1,"loss":2.5})");
  const auto shows_step = [&] { return data_of(folder / "report.html")["runs"][0]["records"]["steps"] == 1; };
  for (int i = 0; i < 100 && !shows_step(); ++i) usleep(100'000);
  EXPECT_TRUE(shows_step());
  watch.signal(SIGINT);
  EXPECT_EQ(watch.wait().code, 0) << "its normal end";
  EXPECT_EQ(data_of(folder / "report.html")["reload"], 0) << "an open page rests";
  Process last({program, "report", folder, "--watch=1"});
  ASSERT_TRUE(last.wait_for_output("watching")) << last.err();
  add(R"({"kind":"event","step":20,"what":"done","text":"done"})");
  const Outcome ended = last.wait(30);
  EXPECT_EQ(ended.code, 0);
  EXPECT_NE(ended.out.find("all runs have ended"), std::string::npos) << ended.out;
}

TEST_F(ReportCommand, PredictionsOfAnEvaluationAsCsv) {
  const Outcome outcome =
      run({program, "evaluate", "--checkpoint", place("trained") / "checkpoints" / "latest", "--data",
           store(), "--json", "--predictions", place("predictions.csv")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  std::istringstream lines(read_file(place("predictions.csv")));
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "image,class,top1,top2,top3,top4,top5,probability");
  int images = 0, right = 0;
  for (; std::getline(lines, line); ++images) {
    std::istringstream fields(line);
    std::string name, truth, first;
    std::getline(fields, name, ',');
    std::getline(fields, truth, ',');
    std::getline(fields, first, ',');
    EXPECT_FALSE(name.empty());
    right += truth == first;
  }
  EXPECT_EQ(images, 32);
  EXPECT_EQ(json::parse(outcome.out)["top1"], right / 32.0);
  const Outcome refused =
      run({program, "evaluate", "--checkpoint", place("trained") / "checkpoints" / "latest", "--data",
           store(), "--predictions", "/nowhere/p.csv"});
  EXPECT_EQ(refused.code, 64);
  EXPECT_NE(refused.err.find("there is no folder /nowhere"), std::string::npos) << refused.err;
}

}  // namespace
}  // namespace convoy::test
