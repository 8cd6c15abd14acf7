// The page in a browser: its scripts run without an error, draw the charts, and show the run's own values.
// Skipped where there is no Chromium.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <regex>

#include "report/page/report_page.hpp"
#include "report/run_folders.hpp"
#include "support/process.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

using nlohmann::json;

std::string browser() {
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"})
    if (run({"bash", "-c", std::string("command -v ") + name}).code == 0) return name;
  return {};
}

class ReportInBrowser : public testing::Test {
 protected:
  void SetUp() override {
    browser_ = browser();
    if (browser_.empty()) GTEST_SKIP() << "there is no Chromium on this machine";
  }

  // The document after its scripts ran; fails the test for anything on the console.
  std::string shown(const std::string& html) {
    write_text(folder_ / "page.html", html);
    const Outcome outcome =
        run({browser_, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
             "--window-size=1200,900", "--virtual-time-budget=5000",
             "--user-data-dir=" + (folder_ / "profile").string(), "--dump-dom",
             "file://" + (folder_ / "page.html").string()});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.err.find("CONSOLE"), std::string::npos) << outcome.err;
    return outcome.out;
  }

  TemporaryFolder folder_;
  std::string browser_;
};

// The text of the attribute `name` in the first element of `dom` whose tag contains `mark`.
std::string attribute(const std::string& dom, const std::string& mark, const std::string& name) {
  const std::regex tag("<[a-z]+ [^>]*" + mark + "[^>]*>");
  std::smatch found;
  if (!std::regex_search(dom, found, tag)) return "no element with " + mark;
  const std::string text = found.str();
  const std::size_t at = text.find(name + "=\"");
  return at == std::string::npos
             ? "no " + name
             : text.substr(at + name.size() + 2, text.find('"', at + name.size() + 2) - at - name.size() - 2);
}

// The part of the document that is one chart.
std::string chart(const std::string& dom, const std::string& id) {
  const std::size_t begin = dom.find("id=\"chart-" + id + "\"");
  return begin == std::string::npos ? "" : dom.substr(begin, dom.find("</figure>", begin) - begin);
}

// What the legend of a chart shows for a series: its last value, in full.
double shown_value(const std::string& figure, const std::string& series) {
  return std::strtod(attribute(figure, "data-series=\"" + series + "\" data-value", "data-value").c_str(),
                     nullptr);
}

json last_line(const std::string& text, const std::string& kind) {
  json last;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (json one = json::parse(line); one["kind"] == kind) last = std::move(one);
  return last;
}

TEST_F(ReportInBrowser, ChartsShowTheValuesOfTheRun) {
  const SampleRun sample{.steps = 60};
  write_run(folder_ / "run", sample);
  const std::string dom =
      shown(make_report({.runs = {folder_ / "run"}, .store = {}, .reload_seconds = 0}).html);
  const json step = last_line(sample_metrics(sample), "step");
  const json validation = last_line(sample_metrics(sample), "validation");
  const auto value = [&](const std::string& id, const std::string& series) {
    return shown_value(chart(dom, id), series);
  };
  EXPECT_EQ(value("loss", "training"), step["loss"].get<double>());
  EXPECT_EQ(value("loss", "validation"), validation["loss"].get<double>());
  EXPECT_EQ(attribute(chart(dom, "loss"), "data-series=\"training\" data-points", "data-points"), "60");
  EXPECT_EQ(value("error", "validation top-1"), 1 - validation["top1"].get<double>());
  EXPECT_EQ(value("rate", "learning rate"), step["lr"].get<double>());
  EXPECT_EQ(value("speed", "images/s"), step["images_per_second"].get<double>());
  EXPECT_EQ(value("phases", "backward"), step["seconds"]["backward"].get<double>());
  for (const char* id : {"loss", "error", "rate", "speed", "ranks", "phases"})
    EXPECT_NE(chart(dom, id).find("<path"), std::string::npos) << id;
  const std::string visible = dom.substr(dom.find("<body"), dom.find("<script") - dom.find("<body"));
  for (const char* slip : {"NaN", "undefined", "null", "[object"})
    EXPECT_EQ(visible.find(slip), std::string::npos) << slip;
  EXPECT_NE(dom.find("class=\"state finished\""), std::string::npos);
}

// What a reader does, done by a script behind the page's own; what is shown then becomes the page's title.
constexpr const char* reading = R"(<script>
const said = [];
const at = (chart) => [...document.querySelectorAll(`#chart-${chart} .readout b`)].map((one) => one.dataset.step).join();
const key = (name) => document.querySelector('#chart-loss .canvas').dispatchEvent(new KeyboardEvent('keydown', {key: name}));
const steps = () => document.querySelector('#chart-loss .steps').textContent;
key('Home');
said.push(at('loss'), at('speed'));
key('ArrowRight');
said.push(at('speed'));
const whole = steps();
key('+');
said.push(steps() !== whole && document.body.className);
key('0');
said.push(steps() === whole && document.body.className === '');
key('Escape');
const box = document.querySelector('#chart-speed .canvas').getBoundingClientRect();
document.querySelector('#chart-speed .canvas').dispatchEvent(new PointerEvent('pointermove', {clientX: box.right, clientY: box.top + 9}));
said.push(at('loss'));
document.querySelector('#chart-loss .toggle').click();
said.push(document.querySelector('#chart-loss .toggle').getAttribute('aria-pressed'));
document.querySelector('[data-value=epoch]').click();
said.push(steps());
document.title = said.join(' / ');
</script></body>)";

TEST_F(ReportInBrowser, KeysAndPointerReadValues) {
  write_run(folder_ / "run", {.steps = 60});
  std::string html = make_report({.runs = {folder_ / "run"}, .store = {}, .reload_seconds = 0}).html;
  html.replace(html.rfind("</body>"), 7, reading);
  const std::string dom = shown(html);
  const std::size_t title = dom.find("<title>") + 7;
  EXPECT_EQ(dom.substr(title, dom.find("</title>") - title),
            "10,100 / 10 / 20 / zoomed / true / 600,600 / true / 0123456");
}

TEST_F(ReportInBrowser, EveryKindOfRunIsDrawn) {
  const auto page = [&](const std::string& metrics) {
    write_text(folder_ / "run" / "metrics.jsonl", metrics);
    return shown(make_report({.runs = {folder_ / "run"}, .store = {}, .reload_seconds = 0}).html);
  };
  const std::string step = R"({"kind":"step","step":20,"epoch":0.5,"loss":2.5})"
                           "\n";
  EXPECT_NE(chart(page(step), "loss").find("<path"), std::string::npos)
      << "a single record of an earlier version";
  EXPECT_NE(page(R"({"kind":"event","step":0,"what":"start","text":"s"})"
                 "\n")
                .find("no step has been recorded"),
            std::string::npos);
  const std::string diverged =
      step + R"({"kind":"step","step":40,"epoch":1,"loss":null,"top1":0})"
             "\n"
             R"({"kind":"event","step":40,"what":"diverged","text":"training diverged: at step 40"})"
             "\n";
  EXPECT_NE(page(diverged).find("class=\"state diverged\""), std::string::npos);
}

TEST_F(ReportInBrowser, HostileNamesAreText) {
  const std::string hostile = "</script><img src=x onerror=document.title='broken'>";
  write_run(folder_ / "run", {.steps = 20, .rate = 0.01, .model = hostile});
  const std::string dom =
      shown(make_report({.runs = {folder_ / "run"}, .store = {}, .reload_seconds = 0}).html);
  EXPECT_NE(dom.find("&lt;/script&gt;&lt;img src=x"), std::string::npos);
  EXPECT_EQ(dom.find("<img src=\"x\""), std::string::npos);
  EXPECT_EQ(dom.find("<title>broken"), std::string::npos);
}

TEST_F(ReportInBrowser, RunsAreCompared) {
  write_run(folder_ / "one", {.steps = 30, .rate = 0.01});
  write_run(folder_ / "two", {.steps = 50, .rate = 0.02, .model = "alexnet-mini", .end = "stop"});
  const std::string dom =
      shown(make_report({.runs = {folder_ / "one", folder_ / "two"}, .store = {}, .reload_seconds = 0}).html);
  const std::string losses = chart(dom, "loss");
  const json validation = last_line(sample_metrics({.steps = 30}), "validation");
  EXPECT_EQ(shown_value(losses, "one"), validation["loss"].get<double>());
  EXPECT_EQ(shown_value(losses, "two"), 2.0 / 5);
  const std::size_t table = dom.find("id=\"table-differences\"");
  ASSERT_NE(table, std::string::npos);
  EXPECT_NE(dom.find("0.020000", table), std::string::npos);
  EXPECT_EQ(dom.find(">model<", table), std::string::npos) << "options that are the same are left out";
}

}  // namespace
}  // namespace convoy::test
