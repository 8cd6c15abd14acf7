#include "system/record_checks.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/atomic_file.hpp"
#include "model/networks.hpp"
#include "report/event_reader.hpp"

namespace convoy::test {

void expect_histograms_of(const Checkpoint& checkpoint, const TrainConfiguration& configuration) {
  const std::vector<ReadEvent> events = read_events(configuration.output);
  const auto newest = std::find_if(events.rbegin(), events.rend(),
                                   [](const ReadEvent& event) { return !event.histograms.empty(); });
  ASSERT_NE(newest, events.rend());
  EXPECT_EQ(newest->step, checkpoint.header.step);
  const int classes = static_cast<int>(checkpoint.header.classes.size());
  const ParameterTable table(make_network(configuration.model, {.classes = classes, .dropout = {}}));
  for (const Parameter& parameter : table.parameters()) {
    const auto values = std::span(checkpoint.parameters).subspan(parameter.offset, parameter.elements);
    double sum = 0;
    for (const float value : values) sum += value;
    const ReadHistogram& weights = newest->histograms.at("weights/" + parameter.path());
    EXPECT_EQ(weights.count, static_cast<double>(values.size()));
    EXPECT_EQ(weights.min, *std::ranges::min_element(values));
    EXPECT_EQ(weights.max, *std::ranges::max_element(values));
    EXPECT_EQ(weights.sum, sum);
    double counted = 0;
    for (const double count : weights.counts) counted += count;
    EXPECT_EQ(counted, weights.count);
    const ReadHistogram& gradients = newest->histograms.at("gradients/" + parameter.path());
    EXPECT_EQ(gradients.count, weights.count);
    EXPECT_GT(gradients.sum_squares, 0);
  }
}

void expect_curves_of_metrics(const std::filesystem::path& run) {
  std::vector<std::tuple<std::string, std::int64_t, float>> expected, shown;
  std::istringstream lines(read_text_file(run / "metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json json = nlohmann::json::parse(line);
    if (json["kind"] != "step" && json["kind"] != "validation") continue;
    const std::string prefix = json["kind"] == "step" ? "train/" : "val/";
    for (const char* key : {"loss", "top1"})
      expected.emplace_back(prefix + key, json["step"], json[key].get<float>());
  }
  for (const ReadEvent& event : kept_events(read_events(run)))
    for (const auto& [tag, value] : event.scalars)
      if (tag.ends_with("/loss") || tag.ends_with("/top1")) shown.emplace_back(tag, event.step, value);
  std::ranges::sort(expected);
  std::ranges::sort(shown);
  EXPECT_EQ(shown, expected);
  EXPECT_FALSE(shown.empty());
}

}  // namespace convoy::test
