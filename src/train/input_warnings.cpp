#include "train/input_warnings.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace convoy {
namespace {

// Sets of photographs differ less in their deviations.
constexpr double usual_ratio = 1.5;

bool subtracts_mean(const InputSpec& input) {
  return std::ranges::any_of(input.mean, [](float value) { return value != 0; });
}

double scale_of(const InputSpec& input) {
  return (double{input.scale[0]} + input.scale[1] + input.scale[2]) / 3;
}

}  // namespace

std::vector<std::string> input_warnings(const CheckpointHeader& weights, const ResolvedRun& run) {
  std::vector<std::string> warnings;
  if (weights.fit != run.store.fit)
    warnings.push_back(
        fmt::format("it was trained on images packed with --fit {}, this store's were packed with --fit {}",
                    word_of(fit_words(), weights.fit), word_of(fit_words(), run.store.fit)));
  const double theirs = scale_of(weights.input);
  const double ours = scale_of(run.input);
  if (std::max(theirs, ours) > usual_ratio * std::min(theirs, ours))
    warnings.push_back(
        fmt::format("it was trained on pixels multiplied by {:.4g}, this run multiplies by {:.4g}: pass "
                    "--input-scale {:.4g}",
                    theirs, ours, theirs));
  const bool they_subtract = subtracts_mean(weights.input);
  if (they_subtract != subtracts_mean(run.input))
    warnings.push_back(they_subtract ? "it was trained on pixels from which a mean was subtracted, this run "
                                       "subtracts none: pass --input-mean pixel"
                                     : "it was trained on pixels from which no mean was subtracted: pass "
                                       "--input-mean none");
  return warnings;
}

}  // namespace convoy
