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
  std::error_code error;
  for (fs::directory_iterator entry(plan.folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const fs::path& path = entry->path();
    const std::string name = path.filename().string();
    constexpr std::string_view partial_suffix = ".partial";
    if (name.ends_with(partial_suffix) &&
        is_shard_name(name.substr(0, name.size() - partial_suffix.size()), plan.split))
      content.partial.push_back(path);
    if (!is_shard_name(name, plan.split)) continue;
    const std::string binding = shard_binding(path);
    if (!wanted.contains(name) || (!binding.empty() && binding != plan.binding))
      content.foreign.push_back(path);
  }
  if (error) fail(ExitCode::io, "cannot list {}: {}", plan.folder.string(), error.message());
  std::ranges::sort(content.foreign);
  return content;
}

bool fits(const SplitPlan& plan, const std::optional<Store>& store) {
  try {
    check_fits(plan, store);
    return true;
  } catch (const Error&) {
    return false;
  }
}

// Before a split's shards are removed, store.json must not list them any more.
void forget_split(const SplitPlan& plan, const Log& log) {
  const FolderLock lock = lock_store(plan.folder, log);
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
  std::error_code error;
  const bool exists = fs::exists(folder / "store.json", error);
  if (error) fail(ExitCode::io, "cannot access {}: {}", folder.string(), error.message());
  if (!exists) return std::nullopt;
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

FolderLock lock_store(const fs::path& folder, const Log& log) {
  try {
    return {folder, std::chrono::milliseconds(0)};
  } catch (const Error&) {
    log.info("another process is writing {}: waiting for it", (folder / "store.json").string());
    return {folder, store_patience};
  }
}

void check_fits(const SplitPlan& plan, const std::optional<Store>& store) {
  if (!store) return;
  const std::string where = plan.folder.string();
  if (store->image_size != plan.image_size) {
    fail(ExitCode::usage,
         "{} contains images of {} x {}, not {} x {}: use --image-size {}, or another folder", where,
         store->image_size, store->image_size, plan.image_size, plan.image_size, store->image_size);
  }
  if (store->fit != plan.fit) {
    const std::string_view fit = word_of(fit_words(), store->fit);
    fail(ExitCode::usage, "{} contains images packed with --fit {}, not {}: use --fit {}, or another folder",
         where, fit, word_of(fit_words(), plan.fit), fit);
  }
  if (store->classes != plan.classes) {
    fail(ExitCode::usage,
         "the classes differ (ids, order or names) from those of {}, which its first split fixed: "
         "omit --class-list and --class-names, or choose another folder",
         where);
  }
  const auto& split = plan.split == "train" ? store->train : store->val;
  if (!split) return;
  for (const ShardEntry& shard : split->shards) {
    const std::string binding = shard_binding(plan.folder / shard.file);
    if (!binding.empty() && binding != plan.binding) {
      fail(ExitCode::usage,
           "{} already contains a {} split made from another source or with other options: "
           "choose another folder, or add --replace to discard that split",
           where, plan.split);
    }
  }
}

void claim_split(const SplitPlan& plan, const Log& log) {
  check_fits(plan, store_beside(plan.folder, plan.split, plan.replace));
  const FolderContent content = inspect(plan);
  // Also where no shard is foreign: other class names change store.json, and shards may be missing.
  if (plan.replace && !fits(plan, existing_store(plan.folder))) forget_split(plan, log);
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
    remove_files(content.foreign);
    log.info("removed {} shard(s) of an earlier {} split, for example {}", content.foreign.size(), plan.split,
             example);
  }
  remove_files(content.partial);
  if (!content.partial.empty())
    log.info("removed {} unfinished file(s) of an interrupted pack", content.partial.size());
}

}  // namespace convoy
