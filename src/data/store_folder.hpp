// A store's folder as a pack finds it: which store is there, who else writes it, which shards of an earlier,
// unfinished pack it holds. Used on rank 0 by the store writer, and by pack for the classes that are fixed.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "base/folder_lock.hpp"
#include "base/log.hpp"
#include "data/split_plan.hpp"
#include "data/store.hpp"

namespace convoy {

// The store in `folder`; empty if it has no store.json yet. Throws ExitCode::bad_data if store.json is
// damaged.
std::optional<Store> existing_store(const std::filesystem::path& folder);

// The same without `split` if that is to be replaced; empty if nothing else remains.
std::optional<Store> store_beside(const std::filesystem::path& folder, const std::string& split,
                                  bool replace);

// Creates the folder if it is absent, and locks the split: its shards have one writer. Another pack may write
// the other split meanwhile. Throws ExitCode::usage while another process holds the lock, ExitCode::io.
FolderLock lock_split(const std::filesystem::path& folder, const std::string& split);

// To be held while store.json is read and written: two packs that end at the same time list both splits.
// Waits for the other one.
FolderLock lock_store(const std::filesystem::path& folder, const Log& log);

// Throws ExitCode::usage if the store has another image size or fit, other classes, or already contains the
// plan's split with other content.
void check_fits(const SplitPlan& plan, const std::optional<Store>& store);

// Prepares the folder for the plan's shards; the split is locked. Removes partial files of an interrupted
// pack. What another plan made of this split (another source, other options) is its user's: throws
// ExitCode::usage with the remedy, or, if the plan says `replace`, removes those shards and before them the
// split's entry in store.json.
void claim_split(const SplitPlan& plan, const Log& log);

}  // namespace convoy
