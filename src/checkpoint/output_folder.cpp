#include "checkpoint/output_folder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "base/error.hpp"

namespace convoy {
namespace {

// "attempt" of run.json; 1 for a file that cannot be understood: some run started here.
int read_attempts(const std::filesystem::path& run_file) {
  const auto json = nlohmann::json::parse(read_text_file(run_file), nullptr, false);
  if (!json.is_object()) return 1;
  const auto attempt = json.find("attempt");
  return attempt != json.end() && attempt->is_number_integer() ? attempt->get<int>() : 1;
}

bool holds_checkpoints(const std::filesystem::path& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().extension() == ".h5") return true;
  return false;
}

}  // namespace

OutputFolder inspect_output_folder(const std::filesystem::path& path) {
  OutputFolder folder{.path = path, .checkpoints = path / "checkpoints"};
  std::error_code error;
  if (std::filesystem::exists(path, error) && !std::filesystem::is_directory(path, error))
    fail(ExitCode::usage, "--output {} is a file, not a folder", path.string());
  if (std::filesystem::exists(path / "store.json", error))
    fail(ExitCode::usage, "--output {} is a store; choose another folder for the run", path.string());
  const bool started = std::filesystem::exists(path / "run.json", error);
  if (started) folder.attempts = read_attempts(path / "run.json");
  folder.holds_run = started || std::filesystem::exists(path / "metrics.jsonl", error) ||
                     holds_checkpoints(folder.checkpoints);
  return folder;
}

void create_output_folder(const OutputFolder& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder.checkpoints, error);
  if (error)
    fail(ExitCode::io, "--output {}: the folder cannot be made: {}", folder.path.string(), error.message());
  // Now rather than at the first checkpoint.
  for (const std::filesystem::path& place : {folder.path, folder.checkpoints})
    if (::faccessat(AT_FDCWD, place.c_str(), W_OK | X_OK, AT_EACCESS) != 0)
      fail(ExitCode::io, "--output {}: cannot write to {}: {}", folder.path.string(), place.string(),
           system_error_text(errno));
}

}  // namespace convoy
