#include "data/store_folder.hpp"

#include <algorithm>
#include <regex>
#include <set>
#include <vector>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "data/shard_writer.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

// Writing store.json takes the time to read every shard's names: seconds for ImageNet, more on a busy file
// system.
constexpr std::chrono::minutes store_patience{10};

bool lists(const Store& store, const std::string& split) {
  return (split == "train" ? store.train : store.val).has_value();
}

// Whether a file has the name of a shard of `split`: "train-00000-of-00256.h5".
bool is_shard_name(const std::string& name, const std::string& split) {
  return std::regex_match(name, std::regex(split + "-[0-9]{5}-of-[0-9]{5}\\.h5"));
}

void remove_files(const std::vector<fs::path>& paths) {
  std::error_code error;
  for (const fs::path& path : paths) {
    fs::remove(path, error);
    if (error) fail(ExitCode::io, "cannot remove {}: {}", path.string(), error.message());
  }
}

struct FolderContent {
  std::vector<fs::path> partial;  // of an interrupted pack of this split
  std::vector<fs::path> foreign;  // finished shards of this split that another plan made
};

// A shard of the plan's name that cannot be read is damaged, not foreign: it will be written again.
FolderContent inspect(const SplitPlan& plan) {
  std::set<std::string> wanted;
  for (int index = 0; index < plan.shards(); ++index) wanted.insert(plan.shard_file(index));
  FolderContent content;
  for (const auto& entry : fs::directory_iterator(plan.folder)) {
    const std::string name = entry.path().filename().string();
    constexpr std::string_view partial_suffix = ".partial";
    if (name.ends_with(partial_suffix) &&
        is_shard_name(name.substr(0, name.size() - partial_suffix.size()), plan.split))
      content.partial.push_back(entry.path());
    if (!is_shard_name(name, plan.split)) continue;
    const std::string binding = shard_binding(entry.path());
    if (wanted.contains(name) ? !binding.empty() && binding != plan.binding : true)
      content.foreign.push_back(entry.path());
  }
  std::ranges::sort(content.foreign);
  return content;
}

// Before a split's shards are removed, store.json must not list them any more.
void forget_split(const SplitPlan& plan) {
  const FolderLock lock = lock_store(plan.folder);
  const std::optional<Store> store = existing_store(plan.folder);
  if (!store || !lists(*store, plan.split)) return;
  const std::optional<Store> rest = store_beside(plan.folder, plan.split, true);
  if (rest)
    write_file_atomically(plan.folder / "store.json", store_to_json(*rest));
  else
    remove_files({plan.folder / "store.json"});
  if (plan.split == "train") remove_files({plan.folder / "mean.h5"});
}

}  // namespace

std::optional<Store> existing_store(const fs::path& folder) {
  if (!fs::exists(folder / "store.json")) return std::nullopt;
  return parse_store(read_text_file(folder / "store.json"), folder);
}

std::optional<Store> store_beside(const fs::path& folder, const std::string& split, bool replace) {
  std::optional<Store> store = existing_store(folder);
  if (!store || !replace) return store;
  if (split == "train") {
    store->train.reset();
    store->statistics.reset();
  } else {
    store->val.reset();
  }
  return store->train || store->val ? store : std::nullopt;
}

FolderLock lock_split(const fs::path& folder, const std::string& split) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail(ExitCode::io, "cannot create the folder {}: {}", folder.string(), error.message());
  return {folder, std::chrono::milliseconds(0), ".lock-" + split};
}

FolderLock lock_store(const fs::path& folder) {
  return {folder, store_patience};
}

void claim_split(const SplitPlan& plan, const Log& log) {
  const FolderContent content = inspect(plan);
  if (!content.foreign.empty()) {
    const std::string example = content.foreign.front().filename().string();
    if (!plan.replace) {
      fail(
          ExitCode::usage,
          "{} contains {} finished shard(s) of its {} split that were made from another source or with other "
          "options, for example {}: repeat the earlier command to complete that split, or add --replace to "
          "discard it",
          plan.folder.string(), content.foreign.size(), plan.split, example);
    }
    forget_split(plan);
    remove_files(content.foreign);
    log.info("removed {} shard(s) of an earlier {} split, for example {}", content.foreign.size(), plan.split,
             example);
  }
  remove_files(content.partial);
  if (!content.partial.empty())
    log.info("removed {} unfinished file(s) of an interrupted pack", content.partial.size());
}

}  // namespace convoy
