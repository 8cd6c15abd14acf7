#include "data/stage/stage.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <list>
#include <mutex>
#include <utility>

#include "base/error.hpp"

namespace convoy {

namespace {

// How often a process looks whether the others have completed their copies.
constexpr auto between_looks = std::chrono::milliseconds(200);

}  // namespace

Stage::Split::Split(const Store& store, const std::string& name, const std::filesystem::path& folder,
                    const Log& log)
    : copies(folder, store.split(name), log), source(std::in_place, store, name, 1) {}

Stage::Stage(const Store& store, StageOptions options, const Log& log)
    : store_(store), options_(std::move(options)), log_(log), folder_(options_.folder, store) {
  ensure(options_.processes > 0 && options_.process >= 0 && options_.process < options_.processes,
         "the stage's options are consistent");
  if (store.train) train_ = std::make_unique<Split>(store, "train", folder_.path(), log);
  if (store.val) val_ = std::make_unique<Split>(store, "val", folder_.path(), log);
  items_ = items();
  if (!leads()) return;
  std::vector<const ShardEntry*> entries;
  for (const Item& item : items_) entries.push_back(&item.entry());
  folder_.check_space(entries);
}

Stage::~Stage() = default;

// Training reads from the first step on, validation later. Each process begins at its own part of the list.
std::vector<Stage::Item> Stage::items() {
  std::vector<Item> list;
  for (const std::size_t shard : options_.train) list.push_back({train_.get(), shard});
  for (const std::size_t shard : options_.val) list.push_back({val_.get(), shard});
  const auto first = static_cast<std::ptrdiff_t>(list.size()) * options_.process / options_.processes;
  std::rotate(list.begin(), list.begin() + first, list.end());
  return list;
}

void Stage::start() {
  watch_.restart();
  thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

ShardCopies* Stage::copies(std::string_view split) {
  Split* found = split == "train" ? train_.get() : val_.get();
  return found != nullptr ? &found->copies : nullptr;
}

StageFigures Stage::figures() const {
  StageFigures figures;
  figures.shards = static_cast<std::int64_t>(items_.size());
  for (const Item& item : items_) figures.bytes += item.entry().bytes;
  figures.done = done_.load();
  figures.seconds = figures.done ? seconds_.load() : watch_.seconds();
  figures.staged_shards = staged_.load();
  figures.staged_bytes = staged_bytes_.load();
  figures.left_shards = left_.load();
  figures.copied_bytes = copied_.load();
  for (const Split* split : {train_.get(), val_.get()})
    if (split != nullptr) figures.rejected += split->copies.rejected();
  return figures;
}

void Stage::work(const std::stop_token& stop) {
  std::list<Item> waiting(items_.begin(), items_.end());
  std::mutex mutex;
  std::condition_variable_any wake;
  while (!waiting.empty()) {
    bool moved = false;
    for (auto item = waiting.begin(); item != waiting.end();) {
      const Settled settled = settle(*item, stop);
      if (settled == Settled::stopped) return;
      if (settled == Settled::busy) {
        ++item;
        continue;
      }
      count(*item, settled == Settled::staged);
      item = waiting.erase(item);
      moved = true;
    }
    if (moved) continue;
    std::unique_lock lock(mutex);
    wake.wait_for(lock, stop, between_looks, [] { return false; });
  }
  for (Split* split : {train_.get(), val_.get()})
    if (split != nullptr) split->source.reset();
  seconds_ = watch_.seconds();
  done_ = true;
}

void Stage::count(const Item& item, bool staged) {
  if (!staged) {
    ++left_;
    return;
  }
  item.split->copies.add(item.shard);
  staged_bytes_ += item.entry().bytes;
  ++staged_;
}

bool Stage::holds(const Item& item) const {
  return folder_.holds(item.entry());
}

// Once for each node.
void Stage::complain(const std::string& text) const {
  if (leads())
    log_.warn("{}", text);
  else
    log_.debug("{}", text);
}

// Copies the shard unless it is there, another process copies it, or the disk takes no more.
Stage::Settled Stage::settle(const Item& item, const std::stop_token& stop) {
  if (stop.stop_requested()) return Settled::stopped;
  try {
    if (holds(item)) return Settled::staged;
    std::optional<PartialCopy> partial = PartialCopy::claim(folder_.path() / item.entry().file);
    if (!partial) return Settled::busy;
    if (holds(item)) return Settled::staged;  // completed by another process just now
    return gave_up_ ? Settled::left : copy(item, *partial, stop);
  } catch (const std::exception& error) {
    complain(fmt::format("{}: the shard {} is not staged but read from the store", error.what(),
                         item.entry().file));
    return Settled::left;
  }
}

Stage::Settled Stage::copy(const Item& item, PartialCopy& partial, const std::stop_token& stop) {
  const CopyResult result = copy_shard(store_, *item.split->source, item.shard, partial, stop);
  switch (result.end) {
    case CopyEnd::complete:
      copied_ += item.entry().bytes;
      return Settled::staged;
    case CopyEnd::stopped:
      return Settled::stopped;
    case CopyEnd::bad_source:
      complain(fmt::format("the shard {} is not staged: {}", item.entry().file, result.reason));
      return Settled::left;
    case CopyEnd::cannot_write:
      break;
  }
  gave_up_ = true;
  complain(
      fmt::format("staging ends early: {}. Shards without a copy are read from the store; free space and "
                  "start the run again to stage them",
                  result.reason));
  return Settled::left;
}

}  // namespace convoy
