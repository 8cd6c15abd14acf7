// What a network answers for each image of a split: gathered by the Evaluator over all ranks, written by
// `convoy evaluate --predictions` and, for every validation of a run, by report/predictions_file.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "data/store.hpp"

namespace convoy {

struct SamplePrediction {
  std::uint32_t sample = 0;         // number of the image in its split, in stored order
  std::int32_t truth = 0;           // its class
  float probability = 0;            // of top[0]
  std::array<std::int32_t, 5> top;  // classes, the most probable first; −1 where there are no more classes
};

// `scores`: one for each class. Equal scores rank the lower class first, as in the metrics.
SamplePrediction predict_sample(std::uint32_t sample, std::int32_t truth, std::span<const float> scores);

// All ranks' predictions, ordered by sample, on every rank; collective.
std::vector<SamplePrediction> gather_predictions(Communicator& communicator,
                                                 std::span<const SamplePrediction> mine);

// For people and their tools: file name of each image, ids of the classes. Reads the names of all images.
// Throws like ShardReader::names.
std::string predictions_csv(std::span<const SamplePrediction> predictions, const Store& store,
                            const std::string& split);

}  // namespace convoy
