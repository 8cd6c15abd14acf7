#include "cli/common_options.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/error.hpp"

namespace convoy {

void add_device_option(OptionTable& table, DeviceKind& device) {
  table.add_word<DeviceKind>("device", "device to compute on", device, device_words());
}

void add_precision_option(OptionTable& table, Precision& precision) {
  table.add_word<Precision>("precision", "arithmetic of the layers; weights are always kept in float32",
                            precision, precision_words());
}

void add_threads_option(OptionTable& table, int& threads) {
  table.add_integer("threads",
                    "CPU threads of each rank; 0: its share of the cores, within a container's CPU limit",
                    threads, 0, 4096);
}

void CommonOptions::declare(OptionTable& table, bool uses_ranks) {
  if (uses_ranks) {
    table.group("Machine");
    table.add_flag("allow-single",
                   "run this process alone although the launcher started several that MPI does not connect",
                   allow_single_);
  }
  table.group("Messages");
  table.add_flag("quiet", "print errors and the result only", quiet_);
  table.add(
      "log-level", "error|warning|info|debug", "the least important messages to print [info]",
      [this](const std::string& value) { level_ = parse_word<LogLevel>(trimmed(value), log_level_words()); });
}

LogLevel CommonOptions::level() const {
  if (quiet_ && level_ && *level_ != LogLevel::error)
    fail(ExitCode::usage, "--quiet and --log-level {} contradict each other",
         word_of(log_level_words(), *level_));
  return quiet_ ? LogLevel::error : level_.value_or(LogLevel::info);
}

void refuse_folder(std::string_view option, const std::string& path) {
  std::error_code unreadable;  // opening the file reports the reason
  if (std::filesystem::is_directory(path, unreadable))
    fail(ExitCode::usage, "{} {} is a folder: pass a checkpoint in it, such as {}", option, path,
         std::filesystem::is_directory(std::filesystem::path(path) / "checkpoints", unreadable)
             ? (std::filesystem::path(path) / "checkpoints" / "latest").string()
             : (std::filesystem::path(path) / "latest").string());
}

void check_checkpoint_path(std::string_view command, const std::string& path) {
  if (path.empty()) fail(ExitCode::usage, "convoy {}: --checkpoint FILE is missing", command);
  refuse_folder("--checkpoint", path);
}

void check_precision(DeviceKind device, Precision precision) {
  const std::string refusal = precision_refusal(device, precision);
  if (!refusal.empty()) fail(ExitCode::usage, "{}", refusal);
}

void check_output_file(std::string_view option, const std::string& path) {
  const std::filesystem::path file = path;
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  std::error_code unreadable;
  if (!file.has_filename() || std::filesystem::is_directory(file, unreadable))
    fail(ExitCode::usage, "--{} {} is a folder: pass the name of a file", option, path);
  if (!std::filesystem::is_directory(folder, unreadable))
    fail(ExitCode::usage, "--{} {}: there is no folder {}", option, path, folder.string());
  if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0)
    fail(ExitCode::io, "--{} {}: cannot write to {}: {}", option, path, folder.string(),
         system_error_text(errno));
}

}  // namespace convoy
