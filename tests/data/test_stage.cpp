// Copies of shards on a node's own disk: what is copied, by whom, and that a loader reads the same with them.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/atomic_file.hpp"
#include "data/small_store.hpp"
#include "data/staging.hpp"
#include "support/expect_error.hpp"
#include "support/file_size_limit.hpp"
#include "support/temporary_folder.hpp"
#include "support/without_privilege.hpp"

namespace convoy::test {
namespace {

namespace fs = std::filesystem;

class StageTest : public testing::Test {
 protected:
  StageTest() : store_(write_small_store(folder_ / "store")) { fs::create_directory(local()); }
  fs::path local() const { return folder_ / "local"; }
  fs::path copies() const { return local() / ("convoy-store-" + store_.fingerprint); }
  fs::path copy_of(std::size_t shard) const { return copies() / store_.train->shards[shard].file; }
  StageOptions everything() const { return whole_store(store_, local()); }
  // Expects every shard's copy to be the shard, byte by byte, and nothing else beside them.
  void expect_whole_copies(const Store& store) const {
    std::size_t files = 0;
    for (const SplitEntry* split : {&*store.train, &*store.val})
      for (const ShardEntry& shard : split->shards) {
        EXPECT_EQ(read_text_file(copies() / shard.file), read_text_file(store.folder / shard.file));
        ++files;
      }
    EXPECT_EQ(static_cast<std::size_t>(std::distance(fs::directory_iterator(copies()), {})), files);
  }
  void stage() const {
    Stage stage(store_, everything(), log_);
    stage_all(stage);
  }

  TemporaryFolder folder_;
  Store store_;
  Log log_{0, 1, LogLevel::warning};
};

TEST_F(StageTest, CopiesEveryShardOnceAndTheNextRunNone) {
  {
    Stage stage(store_, everything(), log_);
    EXPECT_FALSE(stage.copies("train")->has(0));
    const StageFigures figures = stage_all(stage);
    EXPECT_EQ(figures.shards, 4);
    EXPECT_EQ(figures.staged_shards, 4);
    EXPECT_EQ(figures.left_shards, 0);
    EXPECT_EQ(figures.bytes, bytes_of(store_));
    EXPECT_EQ(figures.staged_bytes, bytes_of(store_));
    EXPECT_EQ(figures.copied_bytes, bytes_of(store_));
    EXPECT_TRUE(stage.copies("train")->has(0));
  }
  expect_whole_copies(store_);
  Stage again(store_, everything(), log_);
  const StageFigures figures = stage_all(again);
  EXPECT_EQ(figures.staged_shards, 4);
  EXPECT_EQ(figures.copied_bytes, 0U);
}

TEST_F(StageTest, CopiesOnlyWhatItIsAskedFor) {
  StageOptions options = everything();
  options.train = {1};
  options.val = {};
  Stage stage(store_, options, log_);
  const StageFigures figures = stage_all(stage);
  EXPECT_EQ(figures.bytes, store_.train->shards[1].bytes);
  EXPECT_EQ(figures.copied_bytes, store_.train->shards[1].bytes);
  EXPECT_FALSE(stage.copies("train")->has(0));
  EXPECT_TRUE(fs::exists(copy_of(1)));
  EXPECT_FALSE(fs::exists(copy_of(0)));
}

// The order of samples is the loader's own; where their bytes come from must not matter.
TEST_F(StageTest, ALoaderReadsTheSameBeforeDuringAndAfter) {
  const std::vector<std::uint8_t> expected = read_epochs(store_, nullptr);
  Stage stage(store_, everything(), log_);
  EXPECT_EQ(read_epochs(store_, stage.copies("train")), expected);
  stage.start();
  EXPECT_EQ(read_epochs(store_, stage.copies("train")), expected);
  wait_until([&] { return stage.figures().done; });
  EXPECT_EQ(read_epochs(store_, stage.copies("train")), expected);
  EXPECT_EQ(stage.figures().rejected, 0);
}

// Once its copy is there, a shard is read from it even where it was open before.
TEST_F(StageTest, AnOpenShardIsExchangedForItsCopy) {
  const std::vector<std::uint8_t> expected = read_epochs(store_, nullptr);
  Stage stage(store_, everything(), log_);
  LoaderOptions options = basic_options(1);
  options.shuffle = false;
  options.buffers = 1;
  options.copies = stage.copies("train");
  Loader loader(store_, options);
  loader.next();
  stage_all(stage);
  fs::remove_all(store_.folder);
  for (int i = 1; i < 20; ++i) loader.next();
  EXPECT_EQ(read_epochs(store_, stage.copies("train")), expected);
}

TEST_F(StageTest, ProcessesOfANodeShareTheWork) {
  const auto part = [&](int process) {
    StageOptions options = everything();
    options.process = process;
    options.processes = 3;
    return options;
  };
  Stage first(store_, part(0), log_), second(store_, part(1), log_), third(store_, part(2), log_);
  for (Stage* stage : {&third, &first, &second}) stage->start();
  std::uint64_t copied = 0;
  for (Stage* stage : {&first, &second, &third}) {
    wait_until([&] { return stage->figures().done; });
    EXPECT_EQ(stage->figures().staged_shards, 4);
    copied += stage->figures().copied_bytes;
  }
  EXPECT_EQ(copied, bytes_of(store_));
  expect_whole_copies(store_);
}

TEST_F(StageTest, WaitsForAnotherProcessThatCopies) {
  fs::create_directory(copies());
  std::optional<PartialCopy> other = PartialCopy::claim(copy_of(2));
  ASSERT_TRUE(other);
  EXPECT_FALSE(PartialCopy::claim(copy_of(2)));
  Stage stage(store_, everything(), log_);
  stage.start();
  wait_until([&] { return stage.figures().staged_shards == 3; });
  EXPECT_FALSE(stage.figures().done);
  // The other one is killed: its file remains, and the lock goes.
  other->reserve(1000);
  other.reset();
  wait_until([&] { return stage.figures().done; });
  expect_whole_copies(store_);
}

TEST_F(StageTest, AnUnfinishedCopyIsNeverTakenForAWholeOne) {
  fs::create_directory(copies());
  const std::string text = read_text_file(store_.folder / store_.train->shards[2].file);
  write_file_atomically(copy_of(2).string() + ".partial", text.substr(0, text.size() / 2));
  stage();
  expect_whole_copies(store_);
}

TEST_F(StageTest, AnotherShardUnderTheNameIsCopiedAgain) {
  stage();
  // Of the right size, but of other images: the checksum of labels and names differs.
  const fs::path copy = copy_of(2);
  fs::remove(copy);
  std::string text = read_text_file(store_.folder / store_.train->shards[2].file);
  text[text.size() - 14] = static_cast<char>(text[text.size() - 14] ^ 1);
  write_file_atomically(copy, text);
  fs::resize_file(copy_of(0), 100);
  Stage again(store_, everything(), log_);
  EXPECT_EQ(stage_all(again).copied_bytes, store_.train->shards[2].bytes + store_.train->shards[0].bytes);
  expect_whole_copies(store_);
}

TEST_F(StageTest, CopiesOfTwoStoresDoNotMix) {
  SmallStoreOptions options;
  options.classes = 4;
  const Store other = write_small_store(folder_ / "other", options);
  ASSERT_EQ(other.train->shards[0].file, store_.train->shards[0].file);
  stage();
  Stage second(other, whole_store(other, local()), log_);
  EXPECT_EQ(stage_all(second).copied_bytes, bytes_of(other));
  expect_whole_copies(store_);
}

TEST_F(StageTest, CopiesShardsThatAnotherToolCompressed) {
  SmallStoreOptions options;
  options.chunked = true;
  const Store store = write_small_store(folder_ / "chunked", options);
  const std::vector<std::uint8_t> expected = read_epochs(store, nullptr);
  Stage stage(store, whole_store(store, local()), log_);
  EXPECT_EQ(stage_all(stage).copied_bytes, bytes_of(store));
  fs::remove_all(store.folder);
  EXPECT_EQ(read_epochs(store, stage.copies("train")), expected);
}

// Ends with the run, in mid-copy.
TEST_F(StageTest, StopsAtOnceAndLeavesNoUnfinishedCopy) {
  for (int round = 0; round < 20; ++round) {
    Stage stage(store_, everything(), log_);
    stage.start();
  }
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(copies(), ignored))
    EXPECT_EQ(entry.path().extension(), ".h5") << entry.path();
}

TEST_F(StageTest, ADiskThatTakesNoMoreLeavesShardsInTheStore) {
  const std::vector<std::uint8_t> expected = read_epochs(store_, nullptr);
  testing::internal::CaptureStderr();
  {
    Stage stage(store_, everything(), log_);
    const FileSizeLimit limit(store_.train->shards[2].bytes - 1);
    const StageFigures figures = stage_all(stage);
    EXPECT_GT(figures.left_shards, 0);
    EXPECT_EQ(figures.left_shards + figures.staged_shards, 4);
    EXPECT_EQ(read_epochs(store_, stage.copies("train")), expected);
  }
  const std::string warnings = testing::internal::GetCapturedStderr();
  EXPECT_NE(warnings.find("staging ends early"), std::string::npos) << warnings;
  EXPECT_NE(warnings.find("File too large"), std::string::npos) << warnings;
  EXPECT_FALSE(fs::exists(copy_of(2).string() + ".partial"));
}

// In a folder where others may write.
TEST_F(StageTest, FollowsNoLinkThatAnotherUserPutThere) {
  fs::create_directory(copies());
  write_file_atomically(folder_ / "precious", "x");
  fs::create_symlink(folder_ / "precious", copy_of(2).string() + ".partial");
  testing::internal::CaptureStderr();
  {
    Stage stage(store_, everything(), log_);
    EXPECT_EQ(stage_all(stage).left_shards, 1);
  }
  EXPECT_NE(testing::internal::GetCapturedStderr().find("read from the store"), std::string::npos);
  EXPECT_EQ(read_text_file(folder_ / "precious"), "x");
}

TEST_F(StageTest, RefusesFoldersThatCannotWork) {
  const auto with = [&](const fs::path& folder) {
    return Stage(store_, whole_store(store_, folder), log_).leads();
  };
  expect_error(ExitCode::usage, {"--stage " + (folder_ / "missing").string(), "own disk", "create it"},
               [&] { with(folder_ / "missing"); });
  write_file_atomically(folder_ / "file", "x");
  expect_error(ExitCode::usage, {"this is a file"}, [&] { with(folder_ / "file"); });
  expect_error(ExitCode::usage, {"this is the store itself"}, [&] { with(store_.folder); });
  fs::create_directory_symlink(store_.folder, folder_ / "link");
  expect_error(ExitCode::usage, {"this is the store itself"}, [&] { with(folder_ / "link"); });
  for (const char* fingerprint : {"", "../../elsewhere", "ABCDEF0123456789ABCDEF0123456789"}) {
    Store hostile = store_;
    hostile.fingerprint = fingerprint;
    expect_error(ExitCode::bad_data, {"store.json", "fingerprint", "32 hexadecimal digits"},
                 [&] { Stage(hostile, whole_store(hostile, local()), log_); });
  }
  EXPECT_TRUE(fs::is_empty(local()));
}

TEST_F(StageTest, AFolderThatCannotBeWrittenServesIfItHoldsEverything) {
  fs::permissions(folder_.path(), fs::perms::others_exec | fs::perms::group_exec, fs::perm_options::add);
  {
    const WithoutPrivilege other_user;
    expect_error(ExitCode::io, {"cannot create", "Permission denied"},
                 [&] { Stage(store_, everything(), log_); });
  }
  stage();
  {
    const WithoutPrivilege other_user;
    Stage stage(store_, everything(), log_);
    EXPECT_EQ(stage_all(stage).staged_shards, 4);
  }
  fs::remove(copy_of(1));
  const WithoutPrivilege other_user;
  expect_error(ExitCode::io, {copies().string(), "cannot be written"},
               [&] { Stage(store_, everything(), log_); });
}

}  // namespace
}  // namespace convoy::test
