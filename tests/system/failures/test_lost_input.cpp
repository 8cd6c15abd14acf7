// Shards that are deleted, cut off or damaged while a run reads them. Fewer shards may be open than there
// are, so that they are opened again and again.
#include <signal.h>

#include <fstream>

#include "system/failures/disturbed_run.hpp"

namespace convoy::test {
namespace {

namespace fs = std::filesystem;

class LostInput : public DisturbedRun {
 protected:
  // Of the own store's shards of a split, the first.
  static fs::path shard_of(const fs::path& store, const std::string& split) {
    for (const auto& entry : fs::directory_iterator(store))
      if (entry.path().filename().string().starts_with(split + "-00000-")) return entry.path();
    return {};
  }
  static void flip_bit(const fs::path& path, std::streamoff place) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(place);
    const int byte = file.get();
    file.seekp(place);
    file.put(static_cast<char>(byte ^ 1));
  }
  static std::streamoff size_of(const fs::path& path) {
    return static_cast<std::streamoff>(fs::file_size(path));
  }
  void start_reading(const Words& options = {}) {
    start({.options = options, .before = {"sh", "-c", "ulimit -n 48; exec \"$@\"", "sh"}});
    reach(6);
    now();
  }
  void repair(const fs::path& shard) const {
    fs::copy_file(store() / shard.filename(), shard, fs::copy_options::overwrite_existing);
  }
};

const char* const go_on = "--resume auto: it goes on from step ";

TEST_F(LostInput, AShardIsDeleted) {
  const fs::path shard = shard_of(own_store(), "train");
  start_reading();
  fs::remove(shard);
  expect_end(74, {shard.filename(), "No such file", "Copy the file again", go_on});
  repair(shard);
  expect_recovery(20, "a shard is deleted");
}

TEST_F(LostInput, AShardIsCutOff) {
  const fs::path shard = shard_of(own_store(), "train");
  start_reading();
  fs::resize_file(shard, fs::file_size(shard) / 2);
  expect_end(65, {shard.filename(), "truncated", go_on});
  repair(shard);
  expect_recovery(20, "a shard is truncated");
}

TEST_F(LostInput, ABitOfAPixelFlips) {
  const fs::path shard = shard_of(own_store(), "train");
  start_reading();
  flip_bit(shard, size_of(shard) / 2);
  expect_end(65, {shard.filename(), "image ", "is damaged", "convoy verify", go_on});
  repair(shard);
  expect_recovery(20, "a bit of a pixel flips");
}

// The index of a shard (labels, checksums, names) is read once: damage that comes later changes nothing.
TEST_F(LostInput, ABitOfAnIndexThatIsReadAlreadyFlips) {
  const fs::path shard = shard_of(own_store(), "train");
  start_reading();
  reach(10);  // an epoch is 8 steps
  flip_bit(shard, size_of(shard) - 100);
  reach(steps_done() + 9);
  process().signal(SIGUSR1);
  now();
  expect_end(75);
  repair(shard);
  expect_recovery(0, "a bit of a shard's index flips after it was read");
}

TEST_F(LostInput, ABitOfAnIndexFlipsBeforeItIsRead) {
  const fs::path shard = shard_of(own_store(), "val");
  start_reading({"--evaluate-every", "12steps"});
  flip_bit(shard, size_of(shard) - 100);
  expect_end(65, {shard.filename(), go_on});
  repair(shard);
  expect_recovery(20, "a bit of a shard's index flips before it is read");
}

}  // namespace
}  // namespace convoy::test
