// Options that several commands share, declared alike everywhere.
#pragma once

#include <string>
#include <string_view>

#include "cli/option_table.hpp"
#include "engine/engine.hpp"

namespace convoy {

void add_device_option(OptionTable& table, DeviceKind& device);
void add_precision_option(OptionTable& table, Precision& precision);
void add_threads_option(OptionTable& table, int& threads);

// Throws ExitCode::usage when `path`, the value of --checkpoint, is empty or a folder; `command` is named.
void check_checkpoint_path(std::string_view command, const std::string& path);

// Throws ExitCode::usage with the reason when the device of this machine cannot do the precision.
void check_precision(DeviceKind device, Precision precision);

}  // namespace convoy
