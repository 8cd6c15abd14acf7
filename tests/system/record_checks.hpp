// Expectations about the records for other programs, for runs on either engine.
#pragma once

#include <filesystem>

#include "checkpoint/checkpoint.hpp"
#include "settings/train_configuration.hpp"

namespace convoy::test {

// The newest histograms of weights in a run's event files are those of `checkpoint`, and every gradient has
// one too.
void expect_histograms_of(const Checkpoint& checkpoint, const TrainConfiguration& configuration);

// TensorBoard shows the scalars of metrics.jsonl, each step once.
void expect_curves_of_metrics(const std::filesystem::path& run);

}  // namespace convoy::test
