// The options of `convoy train` (settings/train_options.cpp) as options of the command line, of recipes
// (configs/*.cfg) and in --help.
#pragma once

#include "cli/option_table.hpp"
#include "settings/train_configuration.hpp"

namespace convoy {

// `configuration` holds the defaults and receives the values; it must outlive the table.
void declare_train_options(OptionTable& table, TrainConfiguration& configuration);

}  // namespace convoy
