// Differences between the images that weights were trained on and those of a run that begins with them. A run
// prepares images by its own options and the statistics of its store, whatever its weights have seen. Used at
// the start of fine-tuning.
#pragma once

#include <string>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "train/resolved_run.hpp"

namespace convoy {

// A text for each difference that costs accuracy, with the option that removes it: another --fit, pixels of
// another scale, no mean where one was subtracted or the other way round. The means of two sets of images
// always differ a little, which training corrects.
std::vector<std::string> input_warnings(const CheckpointHeader& weights, const ResolvedRun& run);

}  // namespace convoy
