// The pictures of a run in its report: thumbnails of validation images and the filters of the first layer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "data/store.hpp"
#include "inference/sample_predictions.hpp"

namespace convoy {

struct Thumbnail {
  std::string uri, name;  // name: of the image's file at its source
};

// The store's validation images of these predictions, in the same order. Throws like ShardReader, and
// ExitCode::bad_data if the store has other classes for them than the predictions: it is another store.
std::vector<Thumbnail> make_thumbnails(const Store& store, std::span<const SamplePrediction> predictions);

// The run's best checkpoint, or its latest; an empty path if there is none. Throws like linked_checkpoint.
std::filesystem::path shown_checkpoint(const std::filesystem::path& run);

struct CheckpointFacts {
  std::int64_t step = 0;
  std::vector<ClassEntry> classes;
  std::string filters;           // a picture of conv1's filters; empty where there is no such layer
  int count = 0, magnified = 0;  // of the filters; sides of a weight in the picture
};

// Throws like CheckpointFile.
CheckpointFacts read_checkpoint_facts(const std::filesystem::path& path);

}  // namespace convoy
