// Options that several commands share, with identical declarations.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "cli/option_table.hpp"
#include "engine/engine.hpp"

namespace convoy {

void add_device_option(OptionTable& table, DeviceKind& device);
void add_precision_option(OptionTable& table, Precision& precision);
void add_threads_option(OptionTable& table, int& threads);

// Throws ExitCode::usage if `path`, the value of `option`, which should be a checkpoint, is a folder.
void refuse_folder(std::string_view option, const std::string& path);
// The options of every command: how much it prints beside its result and, if it shares work among ranks, what
// the launcher cannot know.
class CommonOptions {
 public:
  void declare(OptionTable& table, bool uses_ranks);
  // Throws ExitCode::usage if --quiet and --log-level contradict each other.
  LogLevel level() const;
  bool allow_single() const { return allow_single_; }

 private:
  bool quiet_ = false, allow_single_ = false;
  std::optional<LogLevel> level_;
};

// Throws ExitCode::usage, with the name of `command`, if `path`, the value of --checkpoint, is empty or a
// folder.
void check_checkpoint_path(std::string_view command, const std::string& path);

// Throws ExitCode::usage with the reason if this machine's device does not support the precision.
void check_precision(DeviceKind device, Precision precision);

// Throws ExitCode::usage or io, before any work is done, if no file can be written at `path`, the value of
// --`option`: its folder is missing or cannot be written, or it is a folder itself.
void check_output_file(std::string_view option, const std::string& path);

}  // namespace convoy
