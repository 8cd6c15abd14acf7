// What the predictions of a validation say: errors by class, classes taken for one another, and the images
// worth looking at. For the report.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inference/sample_predictions.hpp"

namespace convoy {

struct ClassResult {
  std::int32_t index = 0;
  std::int64_t images = 0, wrong = 0, missed = 0;  // missed: not even among the five most probable
  std::int32_t taken_for = -1;                     // the class most often predicted instead; −1: none
  std::int64_t taken_count = 0;
};

struct ConfusedPair {
  std::int32_t truth = 0, predicted = 0;
  std::int64_t count = 0;
};

struct PredictionSummary {
  std::int64_t images = 0, wrong = 0;
  std::vector<ClassResult> classes;  // those that have images, by index
  std::vector<ConfusedPair> pairs;   // the most frequent first
};

PredictionSummary summarise(std::span<const SamplePrediction> predictions, std::size_t most_pairs);

// The first `count` images: a store's order is one of hashes, so that they are a fair sample.
std::vector<SamplePrediction> fair_sample(std::span<const SamplePrediction> predictions, std::size_t count);

// Of the wrong predictions the `count` with the highest probabilities.
std::vector<SamplePrediction> surest_wrong(std::span<const SamplePrediction> predictions, std::size_t count);

}  // namespace convoy
