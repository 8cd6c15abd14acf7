// The options of `convoy train`, declared once for the command line, for recipes (configs/*.cfg) and for
// --help.
#pragma once

#include "cli/option_table.hpp"
#include "train/configuration.hpp"

namespace convoy {

// `configuration` holds the defaults and receives the values; it must outlive the table.
void declare_train_options(OptionTable& table, TrainConfiguration& configuration);

}  // namespace convoy
