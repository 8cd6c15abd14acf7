// What the tests of staging have in common: a stage that is waited for, and the batches that a loader reads.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

#include "data/loader.hpp"
#include "data/loader_options.hpp"
#include "data/stage/stage.hpp"
#include "data/stage/stage_plan.hpp"

namespace convoy::test {

// Everything in the store.
inline StageOptions whole_store(const Store& store, const std::filesystem::path& folder) {
  StageOptions options;
  options.folder = folder;
  options.train = all_shards(*store.train);
  options.val = all_shards(*store.val);
  return options;
}

// Waits until `done` is true; the bound only keeps a broken test from hanging.
template <typename Condition>
void wait_until(Condition&& done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!done() && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ASSERT_TRUE(done());
}

// Stages, and waits until that is done.
inline StageFigures stage_all(Stage& stage) {
  stage.start();
  wait_until([&] { return stage.figures().done; });
  return stage.figures();
}

inline std::uint64_t bytes_of(const Store& store) {
  std::uint64_t bytes = 0;
  for (const SplitEntry* split : {&*store.train, &*store.val})
    for (const ShardEntry& shard : split->shards) bytes += shard.bytes;
  return bytes;
}

// Pixels and labels of two epochs' batches.
inline std::vector<std::uint8_t> read_epochs(const Store& store, ShardCopies* copies) {
  LoaderOptions options = basic_options(6);
  options.copies = copies;
  Loader loader(store, options);
  std::vector<std::uint8_t> content;
  for (std::int64_t i = 0; i < 2 * loader.plan().steps_per_epoch(); ++i) {
    const BatchView& batch = loader.next();
    content.insert(content.end(), batch.images.begin(), batch.images.end());
    for (const std::int32_t label : batch.labels) content.push_back(static_cast<std::uint8_t>(label));
  }
  return content;
}

}  // namespace convoy::test
