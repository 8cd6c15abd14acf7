#include "report/page/prediction_summary.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace convoy {

PredictionSummary summarise(std::span<const SamplePrediction> predictions, std::size_t most_pairs) {
  PredictionSummary summary;
  std::map<std::int32_t, ClassResult> classes;
  std::map<std::pair<std::int32_t, std::int32_t>, std::int64_t> confused;
  for (const SamplePrediction& one : predictions) {
    ClassResult& of_class = classes[one.truth];
    of_class.index = one.truth;
    ++of_class.images;
    ++summary.images;
    if (std::ranges::find(one.top, one.truth) == one.top.end()) ++of_class.missed;
    if (one.top[0] == one.truth) continue;
    ++of_class.wrong;
    ++summary.wrong;
    ++confused[{one.truth, one.top[0]}];
  }
  for (const auto& [pair, count] : confused) {
    summary.pairs.push_back({.truth = pair.first, .predicted = pair.second, .count = count});
    ClassResult& of_class = classes[pair.first];
    if (count <= of_class.taken_count) continue;
    of_class.taken_for = pair.second;
    of_class.taken_count = count;
  }
  std::ranges::stable_sort(summary.pairs, std::ranges::greater{}, &ConfusedPair::count);
  summary.pairs.resize(std::min(summary.pairs.size(), most_pairs));
  for (const auto& [index, result] : classes) summary.classes.push_back(result);
  return summary;
}

std::vector<SamplePrediction> fair_sample(std::span<const SamplePrediction> predictions, std::size_t count) {
  const auto first = predictions.first(std::min(count, predictions.size()));
  return {first.begin(), first.end()};
}

std::vector<SamplePrediction> surest_wrong(std::span<const SamplePrediction> predictions, std::size_t count) {
  std::vector<SamplePrediction> wrong;
  std::ranges::copy_if(predictions, std::back_inserter(wrong),
                       [](const SamplePrediction& one) { return one.top[0] != one.truth; });
  std::ranges::stable_sort(wrong, std::ranges::greater{}, &SamplePrediction::probability);
  wrong.resize(std::min(wrong.size(), count));
  return wrong;
}

}  // namespace convoy
