#include "checkpoint/choose_checkpoint.hpp"

#include "base/error.hpp"
#include "foreign/foreign_file.hpp"

namespace convoy {
namespace {

NewestCheckpoint newest_in(const std::filesystem::path& checkpoints, const ParameterTable& table,
                           const HeaderCheck& check, const Log& log) {
  NewestCheckpoint newest = find_newest_checkpoint(checkpoints, table, check);
  for (const auto& [refused, reason] : newest.refused)
    log.warn("a checkpoint cannot be used, so the one before it is tried: {}", reason);
  if (newest.path.empty() && !newest.refused.empty())
    fail(ExitCode::bad_data,
         "{}: none of the {} checkpoints can be used; the newest: {}. To start a new run choose another "
         "--output",
         checkpoints.string(), newest.refused.size(), newest.refused.front().second);
  return newest;
}

// The newest checkpoint of a run's folder that the user names.
ChosenCheckpoint newest_of_named(const std::filesystem::path& named, const ParameterTable& table,
                                 const HeaderCheck& check, const Log& log) {
  std::error_code error;
  const std::filesystem::path inner = named / "checkpoints";
  NewestCheckpoint newest =
      newest_in(std::filesystem::is_directory(inner, error) ? inner : named, table, check, log);
  if (newest.path.empty()) fail(ExitCode::usage, "--resume {}: no checkpoint is there", named.string());
  newest.path = std::filesystem::canonical(newest.path);
  return ChosenCheckpoint(std::move(newest));
}

// A checkpoint named by the user: a file, or the folder of a run (then its newest).
ChosenCheckpoint named_checkpoint(const std::filesystem::path& named, const OutputFolder& folder,
                                  const ParameterTable& table, const HeaderCheck& check, const Log& log) {
  std::error_code error;
  if (!std::filesystem::exists(named, error))
    fail(ExitCode::usage, "--resume {}: there is no such file; auto takes the newest checkpoint of --output",
         named.string());
  const bool is_folder = std::filesystem::is_directory(named, error);
  ChosenCheckpoint chosen = is_folder ? newest_of_named(named, table, check, log) : ChosenCheckpoint();
  const std::filesystem::path path = is_folder ? chosen.path() : std::filesystem::canonical(named);
  const bool inside = path.parent_path() == std::filesystem::weakly_canonical(folder.checkpoints);
  if (folder.holds_run && !inside)
    fail(ExitCode::usage,
         "--output {} holds another run than the checkpoint {}; choose another --output, or resume a "
         "checkpoint of that folder",
         folder.path.string(), path.string());
  if (inside)
    for (const auto& entry : std::filesystem::directory_iterator(folder.checkpoints))
      if (entry.path().filename().string().starts_with("step-") && entry.path().filename() > path.filename())
        log.warn(
            "{} is newer than the checkpoint resumed; --resume auto would take it: move it away if it is not "
            "wanted",
            entry.path().string());
  if (is_folder) return chosen;
  if (const auto format = foreign_format(path))
    fail(ExitCode::usage,
         "--resume {}: a file of {} holds weights alone, no state of training; start from it with --weights",
         named.string(), name_of(*format));
  return ChosenCheckpoint(path);
}

}  // namespace

Checkpoint ChosenCheckpoint::take(const ParameterTable& table, std::string_view model) {
  if (!file_) {
    if (read_.header.model != model)
      fail(ExitCode::bad_data, "{}: holds '{}', not '{}'", path_.string(), read_.header.model, model);
    return std::move(read_);
  }
  Checkpoint checkpoint = file_->read(table, model);
  file_.reset();
  return checkpoint;
}

ChosenCheckpoint choose_checkpoint(const std::string& resume, const OutputFolder& folder,
                                   const ParameterTable& table, const HeaderCheck& check, const Log& log) {
  if (resume == "auto") {
    if (!folder.holds_run) return {};
    NewestCheckpoint newest = newest_in(folder.checkpoints, table, check, log);
    if (newest.path.empty())
      log.warn("{} holds a run without a checkpoint: it starts from the beginning", folder.path.string());
    return ChosenCheckpoint(std::move(newest));
  }
  if (resume != "none") return named_checkpoint(resume, folder, table, check, log);
  if (folder.holds_run)
    fail(ExitCode::usage,
         "--output {} holds a run already: resume it with --resume auto, or choose another folder",
         folder.path.string());
  return {};
}

}  // namespace convoy
