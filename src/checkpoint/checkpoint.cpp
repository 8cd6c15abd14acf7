#include "checkpoint/checkpoint.hpp"

#include <algorithm>
#include <charconv>

#include "base/error.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view prefix = "step-", suffix = ".h5";

}  // namespace

std::string checkpoint_name(std::int64_t step) {
  return fmt::format("{}{:09}{}", prefix, step, suffix);
}

std::optional<std::int64_t> checkpoint_step(std::string_view name) {
  if (!name.starts_with(prefix) || !name.ends_with(suffix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  name.remove_suffix(suffix.size());
  std::int64_t step = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), step);
  if (error != std::errc() || end != name.data() + name.size() || step < 0) return std::nullopt;
  return step;
}

std::vector<std::int64_t> list_checkpoints(const fs::path& folder) {
  std::vector<std::int64_t> steps;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  if (error == std::errc::no_such_file_or_directory) return steps;
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename();
    const auto step = checkpoint_step(name);
    if (step && name == checkpoint_name(*step)) steps.push_back(*step);
  }
  if (error) fail(ExitCode::io, "cannot list {}: {}", folder.string(), error.message());
  std::sort(steps.begin(), steps.end());
  return steps;
}

fs::path linked_checkpoint(const fs::path& folder, std::string_view name) {
  const fs::path link = folder / name;
  std::error_code error;
  if (fs::is_symlink(link, error)) {
    const fs::path target = fs::read_symlink(link, error);
    if (target.has_parent_path() || !checkpoint_step(target.string()))
      fail(ExitCode::bad_data, "{} is a link to {}, which is no checkpoint of its folder", link.string(),
           target.string());
  }
  return fs::exists(link, error) ? link : fs::path();
}

NewestCheckpoint find_newest_checkpoint(const fs::path& folder, const ParameterTable& table,
                                        const HeaderCheck& check) {
  NewestCheckpoint newest;
  auto steps = list_checkpoints(folder);
  std::reverse(steps.begin(), steps.end());
  for (const std::int64_t step : steps) {
    const fs::path path = folder / checkpoint_name(step);
    try {
      const CheckpointFile file(path);
      if (file.header().step != step)
        fail(ExitCode::bad_data, "{}: was renamed, it holds step {}", path.string(), file.header().step);
      if (check) check(path, file.header());
      newest.checkpoint = file.read(table);
      newest.path = path;
      return newest;
    } catch (const Error& error) {
      if (error.category() == ExitCode::usage) throw;
      newest.refused.emplace_back(path, error.what());
    }
  }
  return newest;
}

}  // namespace convoy
