// Copies that go bad on the node's own disk are thrown away and the store is read; a store that is damaged is
// an error as without copies.
#include <gtest/gtest.h>

#include <filesystem>

#include "data/small_store.hpp"
#include "data/staging.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

namespace fs = std::filesystem;

class StageDamage : public testing::Test {
 protected:
  StageDamage() : store_(write_small_store(folder_ / "store")), expected_(read_epochs(store_, nullptr)) {
    fs::create_directory(folder_ / "local");
    stage_.emplace(store_, whole_store(store_, folder_ / "local"), log_);
    stage_all(*stage_);
  }
  fs::path copy_of(std::size_t shard) { return copies().path(shard); }
  ShardCopies& copies() { return *stage_->copies("train"); }
  const ShardEntry& shard(std::size_t number) const { return store_.train->shards[number]; }
  fs::path source_of(std::size_t number) const { return store_.folder / shard(number).file; }

  // Reads two epochs: the same as from the store. Returns what was logged.
  std::string read_with_copies() {
    testing::internal::CaptureStderr();
    EXPECT_EQ(read_epochs(store_, &copies()), expected_);
    return testing::internal::GetCapturedStderr();
  }
  // Expects the copy of shard 2 to be rejected for `reason`, once.
  void expect_rejected(const std::string& reason) {
    const std::string warnings = read_with_copies();
    EXPECT_NE(warnings.find(copy_of(2).string()), std::string::npos) << warnings;
    EXPECT_NE(warnings.find(reason), std::string::npos) << warnings;
    EXPECT_NE(warnings.find("is deleted and the store's shard is read"), std::string::npos) << warnings;
    EXPECT_EQ(std::count(warnings.begin(), warnings.end(), '\n'), 1) << warnings;
    EXPECT_FALSE(fs::exists(copy_of(2)));
    EXPECT_EQ(copies().rejected(), 1);
    EXPECT_FALSE(copies().has(2));
    EXPECT_TRUE(copies().has(0));
    EXPECT_EQ(read_with_copies(), "");
  }

  TemporaryFolder folder_;
  Store store_;
  std::vector<std::uint8_t> expected_;
  Log log_{0, 1, LogLevel::warning};
  std::optional<Stage> stage_;
};

TEST_F(StageDamage, AnImageOfACopy) {
  damage_byte(copy_of(2), shard(2).images_offset + 3 * 192 + 77);
  expect_rejected("image 3 ('" + small_name("train", 11) + "') is damaged");
}

TEST_F(StageDamage, StructureOfACopy) {
  damage_byte(copy_of(2), 20);
  expect_rejected("checksum of its metadata is wrong");
}

TEST_F(StageDamage, ACopyThatIsCutOff) {
  fs::resize_file(copy_of(2), shard(2).bytes - 1);
  expect_rejected(std::to_string(shard(2).bytes - 1) + " bytes");
}

TEST_F(StageDamage, ACopyThatIsDeleted) {
  fs::remove(copy_of(2));
  expect_rejected("No such file");
}

// What is damaged only after a reader has opened and checked it.
TEST_F(StageDamage, ACopyThatIsBeingRead) {
  for (const bool cut : {true, false}) {
    SCOPED_TRACE(cut);
    if (!cut) {  // the copy that was rejected comes back with another run
      stage_.reset();
      stage_.emplace(store_, whole_store(store_, folder_ / "local"), log_);
      stage_all(*stage_);
    }
    LoaderOptions options = basic_options(1);
    options.shuffle = false;
    options.buffers = 1;
    options.copies = &copies();
    Loader loader(store_, options);
    for (int i = 0; i < 9; ++i) loader.next();  // the third shard is open now
    if (cut)
      fs::resize_file(copy_of(2), shard(2).images_offset + 4 * 192);
    else
      damage_byte(copy_of(2), shard(2).images_offset + 7 * 192);
    testing::internal::CaptureStderr();
    for (std::uint32_t id = 9; id < 20; ++id) {
      const BatchView& batch = loader.next();
      const auto image = small_image("train", id, 8);
      EXPECT_TRUE(std::equal(image.begin(), image.end(), batch.images.begin())) << id;
    }
    const std::string warnings = testing::internal::GetCapturedStderr();
    EXPECT_NE(warnings.find(cut ? "truncated" : "image 7"), std::string::npos) << warnings;
    EXPECT_EQ(copies().rejected(), 1);
  }
}

TEST_F(StageDamage, TheNextRunCopiesItAgain) {
  damage_byte(copy_of(2), shard(2).images_offset);
  read_with_copies();
  Stage again(store_, whole_store(store_, folder_ / "local"), log_);
  EXPECT_EQ(stage_all(again).copied_bytes, shard(2).bytes);
  EXPECT_EQ(read_epochs(store_, again.copies("train")), expected_);
}

// A copy and its shard: the error names the shard.
TEST_F(StageDamage, TheStoreAsWell) {
  damage_byte(copy_of(2), shard(2).images_offset + 3 * 192);
  damage_byte(source_of(2), shard(2).images_offset + 5 * 192);
  testing::internal::CaptureStderr();
  expect_error(ExitCode::bad_data, {source_of(2).string(), "image 5", "convoy verify"},
               [&] { read_epochs(store_, &copies()); });
  testing::internal::GetCapturedStderr();
}

// A shard that is damaged in the store is not copied, and the error comes when it is read, as without copies.
TEST_F(StageDamage, AShardOfTheStoreIsNotCopied) {
  fs::create_directory(folder_ / "other");
  for (const std::uint64_t place : {shard(2).images_offset + 5 * 192, shard(2).labels_offset}) {
    damage_byte(source_of(2), place);
    testing::internal::CaptureStderr();
    Stage stage(store_, whole_store(store_, folder_ / "other"), log_);
    const StageFigures figures = stage_all(stage);
    const std::string warnings = testing::internal::GetCapturedStderr();
    EXPECT_NE(warnings.find(shard(2).file + " is not staged: " + source_of(2).string()), std::string::npos)
        << warnings;
    EXPECT_EQ(figures.left_shards, 1);
    EXPECT_EQ(figures.staged_shards, 3);
    EXPECT_FALSE(stage.copies("train")->has(2));
    expect_error(ExitCode::bad_data, {source_of(2).string()},
                 [&] { read_epochs(store_, stage.copies("train")); });
    damage_byte(source_of(2), place);
  }
}

TEST_F(StageDamage, AShardThatIsMissingInTheStoreIsReadFromItsCopy) {
  fs::remove(source_of(2));
  EXPECT_EQ(read_with_copies(), "");
}

}  // namespace
}  // namespace convoy::test
