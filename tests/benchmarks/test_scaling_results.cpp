// What benchmark_scaling_page makes of recorded runs: plan, schedule, medians, efficiency, marks, files.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>

#include "scaling/axis.hpp"
#include "scaling/page_text.hpp"
#include "scaling/plots.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::scaling {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void write(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

PlanOptions mini(std::vector<int> ranks) {
  PlanOptions options;
  options.ranks = std::move(ranks);
  options.strong = true;
  options.models = {"alexnet-mini"};
  options.precisions = {"fp32"};
  options.batches = {16};
  return options;
}

TEST(ScalingPlan, SeriesShareTheRunsThatTheyHaveInCommon) {
  const Plan plan = make_plan(mini({1, 2, 4}));
  ASSERT_EQ(plan.series.size(), 2U);
  EXPECT_EQ(plan.series[0].mode, "weak");
  EXPECT_EQ(plan.series[1].batch, 64);
  EXPECT_EQ(plan.series[0].points[2], plan.series[1].points[2]);
  EXPECT_EQ(plan.points.size(), 5U);
  EXPECT_EQ(plan.points[1].name, "alexnet-mini-fp32-drawn-x2-g32");
  const Plan again = plan_from_json(plan_to_json(plan));
  EXPECT_EQ(plan_to_json(again), plan_to_json(plan));
}

TEST(ScalingPlan, EveryGlobalBatchDividesTheDrawnImages) {
  PlanOptions options = mini({1, 3, 5});
  options.batches = {48};
  const Plan plan = make_plan(options);
  const DrawnStore store = drawn_store(plan, "alexnet-mini");
  EXPECT_GE(store.images, 4096);
  for (const Point& point : plan.points) EXPECT_EQ(store.images % point.global_batch, 0) << point.name;
}

TEST(ScalingPlan, StoresOfTheSameNameAreToldApart) {
  PlanOptions options = mini({1});
  options.strong = false;
  options.stores = {"/a/imagenet", "/b/imagenet/"};
  const Plan plan = make_plan(options);
  ASSERT_EQ(plan.points.size(), 3U);
  EXPECT_NE(plan.points[1].name, plan.points[2].name);
  EXPECT_EQ(label_of(plan.series[2]), "weak, fp32, 16 a rank, imagenet");
}

// Names are those of folders: whatever a store is called, its runs must not take the place of another's.
TEST(ScalingPlan, NoNameOfAStoreHidesAnother) {
  PlanOptions options = mini({1});
  options.strong = false;
  options.stores = {"/a/drawn", "/a/x3", "/a/x", "/a/y-2", "/a/y_2"};
  const Plan plan = make_plan(options);
  EXPECT_EQ(plan.points.size(), 6U);
  for (const Series& series : plan.series) {
    const auto point = std::ranges::find(plan.points, series.points.front(), &Point::name);
    ASSERT_NE(point, plan.points.end());
    EXPECT_EQ(point->data, series.data);
  }
}

TEST(ScalingPlan, RefusesWhatCannotRun) {
  PlanOptions options = mini({4});
  options.global_batch = 2;
  test::expect_error(ExitCode::usage, {"batch of 2 over 4 ranks"}, [&] { make_plan(options); });
  options = mini({1});
  options.models = {"alexnet-tiny"};
  test::expect_error(ExitCode::usage, {"alexnet-tiny"}, [&] { make_plan(options); });
}

// Lines of metrics.jsonl, one for each step: 16 images of `seconds`.
std::string metrics(const std::vector<double>& seconds) {
  std::string text;
  for (std::size_t i = 0; i < seconds.size(); ++i) {
    const Json line = {{"kind", "step"},
                       {"step", i + 1},
                       {"samples", 16},
                       {"images_per_second", 16 / seconds[i]},
                       {"seconds",
                        {{"input", 0.1 * seconds[i]},
                         {"forward", 0.2 * seconds[i]},
                         {"backward", 0.4 * seconds[i]},
                         {"exposed", 0.2 * seconds[i]},
                         {"update", 0.05 * seconds[i]}}},
                       {"ranks", {{"least", 0.5 * seconds[i]}, {"most", 0.75 * seconds[i]}}}};
    text += line.dump() + "\n";
  }
  return text + R"({"kind":"event","what":"done"})" + "\n" + R"({"kind":"st)";  // and a torn line
}

TEST(ScalingRecords, TheScheduleFitsTheTime) {
  const test::TemporaryFolder folder;
  write(folder / "probe.jsonl", metrics({5, 0.11, 0.1, 0.12}));
  const Schedule schedule = choose_schedule(folder / "probe.jsonl", 20);
  EXPECT_EQ(schedule.log_every, 20);
  EXPECT_EQ(schedule.warm_up, 20);
  EXPECT_EQ(schedule.steps, 220);
  const Schedule small = choose_schedule(folder / "probe.jsonl", 0.01);
  EXPECT_EQ(small.log_every, 1);
  EXPECT_EQ(small.steps, small.warm_up + 2);
  write(folder / "short.jsonl", metrics({5}));
  test::expect_error(ExitCode::bad_data, {"too few steps"},
                     [&] { choose_schedule(folder / "short.jsonl", 20); });
}

TEST(ScalingRecords, TheWarmUpIsLeftOut) {
  const test::TemporaryFolder folder;
  write(folder / "metrics.jsonl", metrics({9, 9, 0.2, 0.3}));
  const Repeat repeat = read_repeat(folder / "metrics.jsonl", {.warm_up = 2, .steps = 4});
  EXPECT_EQ(repeat.steps, 2);
  EXPECT_NEAR(repeat.images_per_second, 64, 1e-9);
  EXPECT_NEAR(repeat.step_seconds, 0.25, 1e-9);
  EXPECT_NEAR(repeat.phases.backward, 0.1, 1e-9);
  EXPECT_NEAR(repeat.most_work, 0.1875, 1e-9);
  test::expect_error(ExitCode::bad_data, {"no step after the warm-up"},
                     [&] { read_repeat(folder / "metrics.jsonl", {.warm_up = 4, .steps = 5}); });
}

Json interval(const char* row, int rank, double begin, double length) {
  return {{"ph", "X"}, {"cat", row}, {"pid", rank}, {"ts", begin}, {"dur", length}};
}

// Two steps; sums that overlap count once, and the rank that waits least is taken.
TEST(ScalingRecords, TheTimeOfSumsIsThatOfTheLastRank) {
  const test::TemporaryFolder folder;
  Json trace = {{"otherData", {{"first step", 3}, {"last step", 4}}}, {"traceEvents", Json::array()}};
  EXPECT_FALSE(seconds_summing(folder / "absent.json"));
  for (const auto& event : {interval("all-reduce", 0, 0, 5000), interval("all-reduce (2)", 0, 4000, 4000),
                            interval("all-reduce", 0, 10000, 2000), interval("steps", 0, 0, 99999),
                            interval("all-reduce", 1, 6000, 2000), interval("all-reduce", 1, 10000, 2000)})
    trace["traceEvents"].push_back(event);
  write(folder / "trace.json", trace.dump());
  EXPECT_NEAR(seconds_summing(folder / "trace.json").value_or(0), 0.002, 1e-12);
  trace["traceEvents"].push_back(interval("GPU all-reduce", 0, 0, 600));
  write(folder / "trace.json", trace.dump());
  EXPECT_NEAR(seconds_summing(folder / "trace.json").value_or(0), 0.0003, 1e-12);
}

class ScalingResults : public testing::Test {
 protected:
  // A benchmark of 1, 2 and 4 ranks, weak, 16 images a rank.
  ScalingResults() {
    PlanOptions options = mini({1, 2, 4});
    options.strong = false;
    Json plan = {{"machine", {{"host", "node|1"}, {"cores", 2}}}};
    plan.update(plan_to_json(make_plan(options)));
    write(folder_ / "plan.json", plan.dump());
    write(folder_ / "about.json",
          R"({"begun": "2026-01-01 00:00", "seconds": 20, "repeats": 3, "commit": "abc"})");
    write(folder_ / "command", "benchmarks/scaling/run --ranks 1,2,4\n");
  }

  std::filesystem::path place(int ranks) const {
    return folder_.path() / "points" /
           ("alexnet-mini-fp32-drawn-x" + std::to_string(ranks) + "-g" + std::to_string(16 * ranks));
  }

  // Repeats whose steps of 16 × ranks images take so many seconds.
  void measure(int ranks, const std::vector<double>& repeats) {
    write(place(ranks) / "schedule.json", R"({"warm_up": 1, "steps": 3, "log_every": 1})");
    Json run = {
        {"parameters", 1000000},
        {"topology", {{"nodes", 1}, {"threads_per_rank", 1}, {"device", "CPU"}, {"hosts", Json::array()}}},
        {"configuration", {{"wire-precision", "fp32"}}},
        {"versions", {{"convoy", "1.2.3"}}}};
    for (int rank = 0; rank < ranks; ++rank) run["topology"]["hosts"].push_back("node");
    write(place(ranks) / "run.json", run.dump());
    for (std::size_t i = 0; i < repeats.size(); ++i)
      write(place(ranks) / ("repeat-" + std::to_string(i + 1) + ".jsonl"),
            metrics({7, repeats[i] / ranks, repeats[i] / ranks}));
  }

  test::TemporaryFolder folder_;
};

TEST_F(ScalingResults, MediansSpreadAndEfficiency) {
  measure(1, {0.1, 0.102, 0.098});
  measure(2, {0.125, 0.12, 0.13});
  measure(4, {0.2, 0.3, 0.2});
  write(folder_ / "allreduce" / "x2.json", R"({"rows": [{"busbw": 1.5}]})");
  const Results results = gather_results(folder_.path());
  ASSERT_EQ(results.points.size(), 3U);
  EXPECT_NEAR(results.points[0].median.images_per_second, 160, 1e-6);
  EXPECT_NEAR(results.points[1].median.images_per_second, 256, 1e-6);
  EXPECT_FALSE(results.points[1].unsteady());
  EXPECT_TRUE(results.points[2].unsteady());
  EXPECT_NEAR(results.points[2].spread(), (320 - 213.3333333) / 320, 1e-6);
  EXPECT_NEAR(results.series[0].efficiency[0].value_or(0), 1, 1e-12);
  EXPECT_NEAR(results.series[0].efficiency[1].value_or(0), 0.8, 1e-12);
  EXPECT_NEAR(results.series[0].efficiency[2].value_or(0), 0.5, 1e-12);
  EXPECT_EQ(results.points[0].wire_bytes, 0);
  EXPECT_EQ(results.points[1].wire_bytes, 4e6);
  EXPECT_EQ(results.points[2].wire_bytes, 6e6);
  EXPECT_EQ(results.points[1].bus_alone, 1.5);
  EXPECT_FALSE(results.points[2].bus_alone);

  const Json json = results_to_json(results);
  EXPECT_EQ(json["benchmark"], "scaling");
  EXPECT_EQ(json["versions"]["convoy"], "1.2.3");
  EXPECT_EQ(json["points"][2]["unsteady"], true);
  EXPECT_EQ(json["points"][0]["repeats"].size(), 3U);
  EXPECT_NEAR(json["series"][0]["efficiency"][1].get<double>(), 0.8, 1e-12);
  const std::string page = page_text(results);
  EXPECT_TRUE(contains(page, "benchmarks/scaling/run --ranks 1,2,4"));
  EXPECT_TRUE(contains(page, "| 80.0 % |")) << page;
  EXPECT_TRUE(contains(page, "**unsteady**"));
  EXPECT_TRUE(contains(page, "node/1"));
  EXPECT_TRUE(contains(page, "4 threads share the 2 cores")) << page;
}

TEST_F(ScalingResults, PointsThatFailedAreMarkedAndTheOthersStay) {
  measure(2, {0.1});
  write(place(4) / "failure", "code 71: no such device\n");
  const Results results = gather_results(folder_.path());
  EXPECT_EQ(results.points[0].failure, "not measured yet");
  EXPECT_EQ(results.points[2].failure, "code 71: no such device");
  EXPECT_FALSE(results.series[0].efficiency[0]);
  EXPECT_NEAR(results.series[0].efficiency[1].value_or(0), 1, 1e-12);  // the smallest that was measured
  const std::string page = page_text(results);
  EXPECT_TRUE(contains(page, "**failed**"));
  EXPECT_TRUE(contains(page, "no such device"));
  const std::string csv = results_to_csv(results);
  EXPECT_EQ(std::ranges::count(csv, '\n'), 4);
  for (std::size_t line = 0; line < csv.size(); line = csv.find('\n', line) + 1)
    EXPECT_EQ(std::count(csv.begin() + line, csv.begin() + csv.find('\n', line), ','), 24)
        << csv.substr(line);
  EXPECT_TRUE(contains(svg_text(throughput_plot(results)), ">failed<"));
  EXPECT_TRUE(contains(svg_text(step_plot(results)), ">failed<"));
}

// A reason is cut off after some bytes, perhaps within a letter; JSON takes whole ones only.
TEST_F(ScalingResults, AReasonThatEndsWithinALetter) {
  write(place(4) / "failure", "code 71: no device \xe2\x80");
  const Results results = gather_results(folder_.path());
  EXPECT_TRUE(contains(results.points[2].failure, "no device"));
  EXPECT_NO_THROW(static_cast<void>(results_to_json(results).dump()));
}

TEST_F(ScalingResults, ADamagedRecordIsAPointThatFailed) {
  measure(1, {0.1});
  measure(2, {0.1});
  write(place(2) / "run.json", R"({"parameters": "many", "topology": null})");
  measure(4, {0.1});
  write(place(4) / "trace.json", R"({"otherData": [], "traceEvents": [1, {"ph": "X", "cat": 3}]})");
  const Results results = gather_results(folder_.path());
  EXPECT_TRUE(results.points[0].failure.empty());
  EXPECT_TRUE(contains(results.points[1].failure, "run.json")) << results.points[1].failure;
  EXPECT_TRUE(contains(results.points[2].failure, "trace.json")) << results.points[2].failure;
  EXPECT_TRUE(results.points[2].measured());
}

TEST_F(ScalingResults, ADamagedPlanIsRefused) {
  write(folder_ / "plan.json", R"({"machine": {}, "points": [{"name": "x"}], "series": []})");
  test::expect_error(ExitCode::bad_data, {"plan.json"}, [&] { gather_results(folder_.path()); });
}

TEST_F(ScalingResults, NothingMeasuredStillMakesAPage) {
  const Results results = gather_results(folder_.path());
  EXPECT_TRUE(contains(page_text(results), "not measured yet"));
  EXPECT_GT(throughput_plot(results).height, 300);
  EXPECT_GT(step_plot(results).height, 100);
  const test::TemporaryFolder empty;
  test::expect_error(ExitCode::bad_data, {"plan.json"}, [&] { gather_results(empty.path()); });
}

// Every shape lies within its figure, and the PNG has ink where the SVG has a dot.
TEST_F(ScalingResults, FiguresKeepWithinTheirFrame) {
  measure(1, {0.1});
  measure(2, {0.1});
  measure(4, {0.05});  // more than ideal
  const Results results = gather_results(folder_.path());
  for (const Figure& figure : {throughput_plot(results), step_plot(results)}) {
    const Picture picture = drawn(figure, 1);
    EXPECT_EQ(picture.width, figure.width);
    for (const auto& shape : figure.shapes) {
      if (const Dot* dot = std::get_if<Dot>(&shape)) {
        ASSERT_TRUE(dot->x > 0 && dot->x < figure.width && dot->y > 0 && dot->y < figure.height);
        const std::uint8_t* pixel = picture.at(static_cast<int>(dot->x), static_cast<int>(dot->y));
        EXPECT_EQ((Colour{pixel[0], pixel[1], pixel[2]}), dot->colour);
      } else if (const Text* text = std::get_if<Text>(&shape)) {
        const double wide = text_width(text->text, text->size);
        const double left = text->anchor == Anchor::start    ? text->x
                            : text->anchor == Anchor::middle ? text->x - wide / 2
                                                             : text->x - wide;
        EXPECT_GE(left, 0) << text->text;
        EXPECT_LE(left + wide, figure.width) << text->text;
        EXPECT_LT(text->y, figure.height) << text->text;
      } else if (const Line* line = std::get_if<Line>(&shape)) {
        for (const auto& [x, y] : line->points)
          EXPECT_TRUE(x >= 0 && x <= figure.width && y >= 0 && y <= figure.height) << x << ' ' << y;
      }
    }
  }
}

TEST(ScalingFigure, TextIsEscaped) {
  Figure figure{.width = 10, .height = 10, .title = "a & b", .shapes = {}};
  figure.add(Text{.x = 1, .y = 5, .text = "<x>", .colour = {}});
  const std::string svg = svg_text(figure);
  EXPECT_TRUE(contains(svg, "<title>a &amp; b</title>"));
  EXPECT_TRUE(contains(svg, ">&lt;x&gt;</text>"));
}

TEST(ScalingAxis, MarksEncloseTheValues) {
  EXPECT_EQ(linear_marks(100, 6), (std::vector<double>{0, 20, 40, 60, 80, 100}));
  EXPECT_EQ(linear_marks(101, 6).back(), 120);
  EXPECT_EQ(logarithmic_marks(120, 480), (std::vector<double>{100, 200, 500}));
  EXPECT_EQ(logarithmic_marks(100, 100.5), (std::vector<double>{100, 200}));
  EXPECT_EQ(logarithmic_marks(1.5, 2e6).front(), 1);
  for (const double low : {0.003, 7.0, 999.0, 12345.0})
    for (const double factor : {1.0, 3.0, 1000.0}) {
      const std::vector<double> marks = logarithmic_marks(low, low * factor);
      EXPECT_LE(marks.front(), low * 1.001);
      EXPECT_GE(marks.back(), low * factor * 0.999);
      EXPECT_LE(marks.size(), 9U);
    }
  const Axis axis(1, 4, 0, 100, true);
  EXPECT_NEAR(axis.at(2), 50, 1e-9);
  EXPECT_EQ(number_text(1234567), "1,234,567");
  EXPECT_EQ(number_text(0.5), "0.5");
}

}  // namespace
}  // namespace convoy::scaling
