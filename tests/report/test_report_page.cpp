// The page itself: complete in one file, safe against what names contain, small, and with the run's own
// values.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "base/clock.hpp"
#include "report/page/report_page.hpp"
#include "report/run_folders.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

using nlohmann::json;

constexpr std::string_view data_begin = "<script type=\"application/json\" id=\"report-data\">";

json data_of(const std::string& html) {
  const std::size_t begin = html.find(data_begin) + data_begin.size();
  return json::parse(html.substr(begin, html.find("</script>", begin) - begin));
}

std::string page_of(const std::filesystem::path& run) {
  return make_report({.runs = {run}, .store = {}, .reload_seconds = 0}).html;
}

class Report : public testing::Test {
 protected:
  TemporaryFolder folder_;
};

TEST_F(Report, AsksNobodyForAnything) {
  write_run(folder_ / "run", {});
  const std::string html = page_of(folder_ / "run");
  EXPECT_NE(html.find("default-src 'none'"), std::string::npos);
  // The only address is the name of SVG's elements.
  const std::regex address("(https?:)?//[a-z]+[.][^'\" ]*");
  for (std::sregex_iterator found(html.begin(), html.end(), address), end; found != end; ++found)
    EXPECT_EQ(found->str(), "http://www.w3.org/2000/svg");
  EXPECT_EQ(html.find("@import"), std::string::npos);
  EXPECT_EQ(html.find("url(http"), std::string::npos);
  EXPECT_EQ(html.find("fetch("), std::string::npos);
  const std::regex source("<[a-z]+[^>]* (src|href)=\"([^\"]*)\"");
  for (std::sregex_iterator found(html.begin(), html.end(), source), end; found != end; ++found)
    EXPECT_TRUE(found->str(2).starts_with("data:")) << found->str();
}

TEST_F(Report, HoldsTheValuesOfTheRun) {
  write_run(folder_ / "run", {.steps = 40});
  const json run = data_of(page_of(folder_ / "run"))["runs"][0];
  std::istringstream lines(sample_metrics({.steps = 40}));
  std::size_t step = 0, validation = 0;
  const json& series = run["series"];
  for (std::string text; std::getline(lines, text);) {
    const json line = json::parse(text);
    if (line["kind"] == "step") {
      EXPECT_EQ(series["loss"]["step"][step], line["step"]);
      EXPECT_EQ(series["loss"]["loss"][step], line["loss"]);
      EXPECT_EQ(series["top1"]["top1"][step], line["top1"]);
      EXPECT_EQ(series["rate"]["lr"][step], line["lr"]);
      EXPECT_EQ(series["speed"]["images_per_second"][step], line["images_per_second"]);
      for (const char* phase : {"input", "forward", "backward", "exposed", "update"})
        EXPECT_EQ(series["phases"][phase][step], line["seconds"][phase]);
      for (const char* of_ranks : {"least", "median", "most"})
        EXPECT_EQ(series["ranks"][of_ranks][step], line["ranks"][of_ranks]);
      ++step;
    } else if (line["kind"] == "validation") {
      for (const char* key : {"step", "epoch", "loss", "top1", "top5"})
        EXPECT_EQ(run["validation"][key][validation], line[key]);
      ++validation;
    }
  }
  EXPECT_EQ(step, 40U);
  EXPECT_EQ(validation, 4U);
  EXPECT_EQ(run["state"], "finished");
  EXPECT_EQ(run["best"]["step"], 400);
  EXPECT_EQ(run["last"]["attempt"], 2);
  EXPECT_EQ(run["configuration"]["model"], "alexnet-mini");
  EXPECT_EQ(run["attempts"][1]["changes"][0]["option"], "model");
  EXPECT_EQ(run["slowest"][0]["host"], "b");
  EXPECT_EQ(run["checkpoints"]["count"], 4);
}

TEST_F(Report, NoNameBecomesMarkup) {
  const std::string hostile = "</script><script>alert(1)</script><!--<script>&\"'";
  const std::string name = "a<b>&c <!-- d";
  write_text(folder_ / name / "metrics.jsonl",
             json{{"kind", "event"}, {"step", 0}, {"what", "warning"}, {"text", hostile}}.dump() + "\n");
  write_text(folder_ / name / "run.json",
             json{{"model", hostile}, {"configuration", {{hostile, hostile}}}}.dump());
  const std::string html = page_of(folder_ / name);
  EXPECT_EQ(html.find("<script>alert"), std::string::npos);
  EXPECT_EQ(html.find("<b>&c"), std::string::npos);
  EXPECT_NE(html.find("<title>a&lt;b>&amp;c &lt;!-- d"), std::string::npos);
  std::size_t ends = 0;
  for (std::size_t at = html.find("</script"); at != std::string::npos; at = html.find("</script", at + 1))
    ++ends;
  EXPECT_EQ(ends, 2U) << "the data and the scripts";
  const json run = data_of(html)["runs"][0];
  EXPECT_EQ(run["model"], hostile) << "the text itself is unchanged";
  EXPECT_EQ(run["events"][0]["text"], hostile);
  EXPECT_EQ(run["name"], name);
}

TEST_F(Report, BytesThatAreNotUtf8AreReplaced) {
  write_text(folder_ / "run" / "metrics.jsonl", "{\"kind\":\"step\",\"step\":1,\"loss\":1}\n");
  write_text(folder_ / "run" / "run.json", "{\"model\":\"a\xff\"}");
  expect_error(ExitCode::bad_data, {"run.json is damaged"}, [&] { page_of(folder_ / "run"); });
  std::filesystem::rename(folder_ / "run", folder_ / "r\xff");
  std::filesystem::remove(folder_ / "r\xff" / "run.json");
  EXPECT_EQ(data_of(page_of(folder_ / "r\xff"))["runs"][0]["name"], "r\xef\xbf\xbd");
}

// Every step of 90 epochs of ImageNet is 450,000 records; a tenth of them shows the same.
TEST_F(Report, ALongRunStaysSmallAndKeepsItsSpikes) {
  std::string text = sample_metrics({.steps = 45000});
  const std::size_t place = text.find("\"step\":123450,");
  const std::size_t loss = text.find("\"loss\":", place);
  text.replace(loss, text.find(',', loss) - loss, "\"loss\":77.125");
  write_text(folder_ / "run" / "metrics.jsonl", text);
  const std::string html = page_of(folder_ / "run");
  EXPECT_LT(html.size(), 700'000U);
  const json losses = data_of(html)["runs"][0]["series"]["loss"];
  EXPECT_LE(losses["loss"].size(), 1202U);
  const auto values = losses["loss"].get<std::vector<double>>();
  const auto spike = std::ranges::find(values, 77.125);
  ASSERT_NE(spike, values.end());
  EXPECT_EQ(losses["step"][static_cast<std::size_t>(spike - values.begin())], 123450);
}

TEST_F(Report, ManyRunsStaySmall) {
  std::vector<std::filesystem::path> runs;
  for (int i = 0; i < 12; ++i) {
    runs.push_back(folder_ / ("run" + std::to_string(i)));
    write_run(runs.back(), {.steps = 5000, .rate = 0.01 * i});
  }
  const ReportPage page = make_report({.runs = runs, .store = {}, .reload_seconds = 0});
  EXPECT_LT(page.html.size(), 2'000'000U);
  EXPECT_EQ(data_of(page.html)["runs"].size(), 12U);
  EXPECT_TRUE(page.ended);
}

TEST_F(Report, ManyEventsAreCounted) {
  std::string text;
  for (int i = 0; i < 2000; ++i)
    text +=
        json{{"kind", "event"}, {"step", i}, {"what", i % 100 == 7 ? "warning" : "overflow"}, {"text", "t"}}
            .dump() +
        "\n";
  write_text(folder_ / "run" / "metrics.jsonl", text);
  const json run = data_of(page_of(folder_ / "run"))["runs"][0];
  EXPECT_EQ(run["events"].size(), 170U) << "150 of one kind and all 20 of the other";
  EXPECT_EQ(run["events_left_out"]["overflow"], 1980 - 150);
  EXPECT_FALSE(run["events_left_out"].contains("warning"));
}

TEST_F(Report, RunsOfEarlierVersionsAndRunsThatHardlyBegan) {
  write_text(folder_ / "old" / "metrics.jsonl", R"({"kind":"step","step":20,"epoch":0.5,"loss":2.5})"
                                                "\n"
                                                R"({"kind":"st)");
  const json old = data_of(page_of(folder_ / "old"))["runs"][0];
  EXPECT_EQ(old["series"]["loss"]["loss"][0], 2.5);
  EXPECT_FALSE(old["series"].contains("phases"));
  EXPECT_EQ(old["attempts"], json::array());
  EXPECT_TRUE(old["validation"].is_null());
  EXPECT_EQ(old["remarks"], json::array());
  write_text(folder_ / "new" / "run.json", sample_run_file({}));
  EXPECT_EQ(data_of(page_of(folder_ / "new"))["runs"][0]["model"], "alexnet-mini");
}

TEST_F(Report, WhatIsNoRunIsRefused) {
  std::filesystem::create_directories(folder_ / "empty");
  expect_error(ExitCode::usage, {"empty holds no run", "--output"}, [&] { page_of(folder_ / "empty"); });
  write_text(folder_ / "blank" / "metrics.jsonl", "");
  expect_error(ExitCode::usage, {"blank holds no run"}, [&] { page_of(folder_ / "blank"); });
  expect_error(ExitCode::usage, {"nowhere", "no such folder"}, [&] { page_of(folder_ / "nowhere"); });
  write_run(folder_ / "torn", {});
  write_text(folder_ / "torn" / "run.json", "{\"model\": ");
  expect_error(ExitCode::bad_data, {"torn/run.json is damaged"}, [&] { page_of(folder_ / "torn"); });
}

TEST_F(Report, DamagedPartsBecomeRemarks) {
  write_run(folder_ / "run", {});
  write_text(folder_ / "run" / "predictions-best.csv", "nonsense");
  write_text(folder_ / "run" / "checkpoints" / "best", "nonsense");
  const ReportPage page = make_report({.runs = {folder_ / "run"}, .store = {}, .reload_seconds = 0});
  ASSERT_EQ(page.remarks.size(), 2U);
  EXPECT_TRUE(page.remarks[0].starts_with("no filters: ")) << page.remarks[0];
  EXPECT_TRUE(page.remarks[1].starts_with("no predictions: ")) << page.remarks[1];
  EXPECT_EQ(data_of(page.html)["runs"][0]["remarks"].size(), 2U);
}

TEST(RunNames, AreAsShortAsTheyCanBeToldApart) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(run_names({"runs/a", "runs/b/"}), (Names{"a", "b"}));
  EXPECT_EQ(run_names({"x/a", "y/a", "y/b"}), (Names{"x/a", "y/a", "y/b"}));
  EXPECT_EQ(run_names({"runs/./a"}), Names{"a"});
  EXPECT_EQ(run_names({"runs/a", "runs/a"}).size(), 2U) << "the same run twice";
}

}  // namespace
}  // namespace convoy::test
