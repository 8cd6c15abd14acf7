// A configuration written down in the spellings of the command line, "key = value" a line in a fixed order,
// and what a resumed run may change of it. Checkpoints, run.json and the ranks' agreement keep and compare
// these texts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "settings/train_configuration.hpp"

namespace convoy {

// The options that decide the result (not paths, threads, intervals of logging): kept in checkpoints.
std::string configuration_text(const TrainConfiguration& configuration);

// All options, for run.json and for --config, which reads the configuration back (paths with " #" or
// quotation marks excepted).
std::string full_configuration_text(const TrainConfiguration& configuration);

// The value of `key` in such a text; empty when it is not there.
std::string configured_value(const std::string& text, std::string_view key);

// An option whose value differs; "unset" if it is not in one of the texts.
struct OptionDifference {
  std::string option, before, now;
  friend bool operator==(const OptionDifference&, const OptionDifference&) = default;
};

// "lr: 0.01 → 0.001".
std::string difference_text(const OptionDifference& difference);

struct ConfigurationDifferences {
  std::vector<OptionDifference> allowed, refused;
  bool other_length = false;  // the run may end at another step
};

// Compares two texts of configuration_text: what a resumed run may change, and what it may not (OnResume;
// `within_epoch`: the checkpoint was written in the middle of an epoch, so that the order of samples must
// stay). Options that apply to only one of the texts because of another option are left out.
ConfigurationDifferences compare_configurations(const std::string& before, const std::string& now,
                                                bool within_epoch);

}  // namespace convoy
