// Two processes that write one store, and shards that another command made: nobody's shards are removed
// without being asked, and no split is lost.
#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include "base/atomic_file.hpp"
#include "data/store_folder.hpp"
#include "data/store_writer.hpp"
#include "data/verify.hpp"
#include "support/expect_error.hpp"
#include "support/mpi_test.hpp"
#include "support/shared_folder.hpp"

namespace convoy::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr int side = 4;

// 12 images of two classes in `shards` shards; `source` stands for a source of images.
SplitPlan plan_of(const fs::path& folder, const std::string& split, int shards,
                  const std::string& source = "a") {
  SplitPlan plan;
  plan.folder = folder;
  plan.split = split;
  plan.image_size = side;
  plan.shard_bytes = plan.image_bytes() * 12 / static_cast<std::uint64_t>(shards);
  plan.classes = {{"cat", "cat"}, {"dog", "dog"}};
  for (int i = 0; i < 12; ++i) {
    plan.names.push_back(fmt::format("{}/{}-{:02}", i % 2 == 0 ? "cat" : "dog", split, i));
    plan.labels.push_back(i % 2);
  }
  bind_plan(plan, source);
  return plan;
}

SplitReport write(const SplitPlan& plan) {
  const auto paint = [](std::int64_t position, std::span<std::uint8_t> square) {
    std::ranges::fill(square, static_cast<std::uint8_t>(position * 20));
  };
  return write_split(plan, paint, world(), Log(world().rank(), world().size(), LogLevel::warning));
}

Store store_in(const fs::path& folder) {
  return existing_store(folder).value();
}

class StoreFolder : public testing::Test {
 protected:
  StoreFolder() : folder_(world()), store_(folder_ / "store") {}
  SharedFolder folder_;
  fs::path store_;
};

// Another open lock of this process stands for another process.
TEST_F(StoreFolder, ASplitHasOneWriter) {
  FolderLock other;
  on_rank_zero([&] { other = lock_split(store_, "train"); });
  on_rank_zero([&] { write_file_atomically(store_ / "train-00000-of-00003.h5.partial", "the other's"); });
  expect_error(ExitCode::usage, {"store", "is being written", "process"},
               [&] { write(plan_of(store_, "train", 3)); });
  on_rank_zero([&] { EXPECT_TRUE(fs::exists(store_ / "train-00000-of-00003.h5.partial")); });
  EXPECT_EQ(write(plan_of(store_, "val", 2)).images, 12) << "the other split is another pack's";
  other = FolderLock();
  EXPECT_EQ(write(plan_of(store_, "train", 3)).images, 12);
  on_rank_zero([&] { EXPECT_FALSE(fs::exists(store_ / "train-00000-of-00003.h5.partial")); });
}

TEST_F(StoreFolder, PacksThatEndTogetherListBothSplits) {
  write(plan_of(store_, "val", 2));
  std::optional<std::string> with_val;
  std::optional<FolderLock> other;
  std::thread ending;
  on_rank_zero([&] {
    // The pack of val is about to write store.json when that of train arrives there.
    with_val = read_text_file(store_ / "store.json");
    fs::remove(store_ / "store.json");
    other = lock_store(store_, Log());
    ending = std::thread([&] {
      while (!fs::exists(store_ / "train-00002-of-00003.h5")) std::this_thread::sleep_for(5ms);
      std::this_thread::sleep_for(50ms);
      write_file_atomically(store_ / "store.json", *with_val);
      other.reset();
    });
  });
  write(plan_of(store_, "train", 3));
  on_rank_zero([&] {
    ending.join();
    const Store store = store_in(store_);
    EXPECT_TRUE(store.train && store.val);
    EXPECT_TRUE(verify_store(store).bad.empty());
  });
}

TEST_F(StoreFolder, FinishedShardsOfAnUnfinishedPackAreRemovedOnlyOnRequest) {
  write(plan_of(store_, "train", 6));
  on_rank_zero([&] {
    fs::remove(store_ / "store.json");
    fs::remove(store_ / "train-00004-of-00006.h5");
  });
  // Other sizes of shards, and another source with as many shards.
  for (SplitPlan plan : {plan_of(store_, "train", 3), plan_of(store_, "train", 6, "b")}) {
    expect_error(ExitCode::usage, {"5 finished shard(s)", "train-00000-of-00006.h5", "--replace"},
                 [&] { write(plan); });
    on_rank_zero([&] { EXPECT_TRUE(fs::exists(store_ / "train-00005-of-00006.h5")); });
  }
  EXPECT_EQ(write(plan_of(store_, "train", 6)).kept_shards, 5) << "the earlier command completes its pack";

  SplitPlan other = plan_of(store_, "train", 3);
  other.replace = true;
  EXPECT_EQ(write(other).kept_shards, 0);
  on_rank_zero([&] {
    EXPECT_FALSE(fs::exists(store_ / "train-00000-of-00006.h5"));
    EXPECT_TRUE(verify_store(store_in(store_)).bad.empty());
  });
}

TEST_F(StoreFolder, AListedSplitIsReplacedOnlyOnRequest) {
  write(plan_of(store_, "train", 3));
  write(plan_of(store_, "val", 2));
  SplitPlan other = plan_of(store_, "train", 3, "b");
  expect_error(ExitCode::usage, {"already contains a train split", "--replace"}, [&] { write(other); });
  other.replace = true;
  EXPECT_EQ(write(other).kept_shards, 0);
  EXPECT_EQ(write(other).kept_shards, 3) << "the same content again is kept";
  on_rank_zero([&] {
    const Store store = store_in(store_);
    EXPECT_TRUE(store.train && store.val && store.statistics);
    EXPECT_TRUE(verify_store(store).bad.empty());
  });
  // The only split may even come with other classes; beside another one they are fixed.
  other.classes[0] = {"bird", "bird"};
  expect_error(ExitCode::usage, {"classes differ"}, [&] { write(other); });
}

// The names of classes are not part of a shard's binding.
TEST_F(StoreFolder, ASplitIsReplacedForOtherClassNamesToo) {
  write(plan_of(store_, "train", 3));
  SplitPlan named = plan_of(store_, "train", 3);
  named.classes[0].name = "a cat";
  expect_error(ExitCode::usage, {"classes differ"}, [&] { write(named); });
  on_rank_zero([&] { EXPECT_TRUE(verify_store(store_in(store_)).bad.empty()) << "nothing has changed"; });
  named.replace = true;
  EXPECT_EQ(write(named).kept_shards, 0);
  on_rank_zero([&] {
    EXPECT_EQ(store_in(store_).classes[0].name, "a cat");
    EXPECT_TRUE(verify_store(store_in(store_)).bad.empty());
  });
  // And where store.json has lost its shards.
  on_rank_zero([&] {
    for (int i = 0; i < 3; ++i) fs::remove(store_ / named.shard_file(i));
  });
  SplitPlan larger = plan_of(store_, "train", 3);
  larger.image_size = 2 * side;
  larger.replace = true;
  EXPECT_EQ(write(larger).kept_shards, 0);
  on_rank_zero([&] { EXPECT_EQ(store_in(store_).image_size, 2 * side); });
}

TEST_F(StoreFolder, WithoutASplitThatIsReplaced) {
  write(plan_of(store_, "train", 3));
  on_rank_zero([&] {
    EXPECT_FALSE(store_beside(store_, "train", true)) << "nothing else fixes the classes";
    EXPECT_TRUE(store_beside(store_, "train", false)->train);
    EXPECT_TRUE(store_beside(store_, "val", true)->train);
  });
  write(plan_of(store_, "val", 2));
  on_rank_zero([&] {
    const Store rest = store_beside(store_, "train", true).value();
    EXPECT_FALSE(rest.train || rest.statistics);
    EXPECT_TRUE(rest.val);
  });
}

}  // namespace
}  // namespace convoy::test
