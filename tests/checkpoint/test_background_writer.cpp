#include <gtest/gtest.h>
#include <sys/mount.h>

#include <functional>
#include <optional>
#include <set>

#include "base/error.hpp"
#include "checkpoint/background_writer.hpp"
#include "checkpoint/checkpoint_samples.hpp"
#include "support/file_size_limit.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

namespace fs = std::filesystem;

class BackgroundWriterTest : public testing::Test {
 protected:
  std::set<std::string> names() const {
    std::set<std::string> result;
    for (const auto& entry : fs::directory_iterator(folder_)) result.insert(entry.path().filename());
    return result;
  }
  // Names of the checkpoints of `steps`, and both links.
  static std::set<std::string> expected(const std::vector<std::int64_t>& steps, bool best = true) {
    std::set<std::string> result{"latest"};
    if (best) result.insert("best");
    for (const std::int64_t step : steps) result.insert(checkpoint_name(step));
    return result;
  }
  std::string link(const char* name) const { return fs::read_symlink(folder_ / name); }

  TemporaryFolder temporary_;
  fs::path folder_ = temporary_ / "run" / "checkpoints";
  ParameterTable table_{small_network()};
};

TEST_F(BackgroundWriterTest, WritesAndReports) {
  BackgroundWriter writer(folder_, table_, 3);
  EXPECT_TRUE(writer.finished().empty());
  writer.start(sample_checkpoint(table_, 5), false);
  const auto written = writer.finish();
  ASSERT_EQ(written.size(), 1u);
  EXPECT_EQ(written[0].step, 5);
  EXPECT_EQ(written[0].path, folder_ / checkpoint_name(5));
  EXPECT_EQ(written[0].error, "");
  EXPECT_GT(written[0].seconds, 0);
  EXPECT_TRUE(writer.finish().empty());
  EXPECT_EQ(names(), expected({5}, false));
  EXPECT_EQ(link("latest"), checkpoint_name(5));
  EXPECT_TRUE(same_content(CheckpointFile(folder_ / "latest").read(table_), sample_checkpoint(table_, 5)));
}

TEST_F(BackgroundWriterTest, ALinkThatCannotBeSetDoesNotCostTheCheckpoint) {
  BackgroundWriter writer(folder_, table_, 3);
  fs::create_directories(folder_ / "latest" / "in the way");
  writer.start(sample_checkpoint(table_, 5), false);
  const auto written = writer.finish();
  ASSERT_EQ(written.size(), 1u);
  EXPECT_EQ(written[0].path, folder_ / checkpoint_name(5));
  EXPECT_NE(written[0].error.find("latest"), std::string::npos) << written[0].error;
  EXPECT_TRUE(same_content(CheckpointFile(written[0].path).read(table_), sample_checkpoint(table_, 5)));
}

// As on a file system without links: the writer still knows which checkpoints to keep.
TEST_F(BackgroundWriterTest, OldCheckpointsGoWithoutLinksToo) {
  BackgroundWriter writer(folder_, table_, 2);
  fs::create_directories(folder_ / "latest" / "in the way");
  fs::create_directories(folder_ / "best" / "in the way");
  for (std::int64_t step = 1; step <= 6; ++step) {
    writer.start(sample_checkpoint(table_, step), step == 2);
    EXPECT_NE(writer.finish().at(0).error, "") << step;
  }
  EXPECT_EQ(names(), expected({2, 5, 6}));
}

TEST_F(BackgroundWriterTest, KeepsTheNewestAndTheBest) {
  BackgroundWriter writer(folder_, table_, 2);
  for (std::int64_t step = 1; step <= 6; ++step) writer.start(sample_checkpoint(table_, step), step == 2);
  EXPECT_EQ(writer.finish().size(), 6u);
  EXPECT_EQ(names(), expected({2, 5, 6}));
  EXPECT_EQ(link("latest"), checkpoint_name(6));
  EXPECT_EQ(link("best"), checkpoint_name(2));

  // The best one moves on: what was best is as old as the others.
  writer.start(sample_checkpoint(table_, 7), false);
  writer.mark_best(7);
  writer.finish();
  EXPECT_EQ(names(), expected({6, 7}));
  EXPECT_EQ(link("best"), checkpoint_name(7));
  writer.mark_best(6);
  writer.mark_best(4);  // no longer there: nothing happens
  EXPECT_TRUE(writer.finish().empty());
  EXPECT_EQ(link("best"), checkpoint_name(6));
}

TEST_F(BackgroundWriterTest, KeepsAllWithZero) {
  BackgroundWriter writer(folder_, table_, 0);
  for (std::int64_t step = 1; step <= 5; ++step) writer.start(sample_checkpoint(table_, step), false);
  writer.finish();
  EXPECT_EQ(names(), expected({1, 2, 3, 4, 5}, false));
}

TEST_F(BackgroundWriterTest, DestructorFinishesWhatWasStarted) {
  {
    BackgroundWriter writer(folder_, table_, 2);
    writer.start(sample_checkpoint(table_, 1), true);
  }
  EXPECT_EQ(names(), expected({1}));
}

TEST_F(BackgroundWriterTest, ResumedRunGoesOn) {
  {
    BackgroundWriter writer(folder_, table_, 2);
    for (const std::int64_t step : {10, 20, 30}) writer.start(sample_checkpoint(table_, step), step == 10);
  }
  // 30 was torn, so the run goes on from 20; what a killed run left is swept away, other people's files stay.
  write_bytes(folder_ / checkpoint_name(30), "torn");
  write_bytes(folder_ / (checkpoint_name(40) + ".partial"), "half");
  fs::create_symlink("nowhere", folder_ / "latest.partial");
  write_bytes(folder_ / "notes.partial", "mine");
  BackgroundWriter writer(folder_, table_, 1);
  auto now = expected({10, 20, 30});
  now.insert("notes.partial");
  EXPECT_EQ(names(), now);
  writer.start(sample_checkpoint(table_, 25), false);
  writer.finish();
  // Neither the one just written nor the torn one beyond it was taken for an old one.
  now = expected({10, 25, 30});
  now.insert("notes.partial");
  EXPECT_EQ(names(), now);
  EXPECT_EQ(link("latest"), checkpoint_name(25));
  EXPECT_EQ(find_newest_checkpoint(folder_, table_).path, folder_ / checkpoint_name(25));
}

TEST_F(BackgroundWriterTest, FolderThatCannotBeMade) {
  write_bytes(temporary_ / "run", "a file");
  try {
    const BackgroundWriter writer(folder_, table_, 1);
    FAIL() << "made below a file";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::io);
    EXPECT_NE(std::string(error.what()).find(folder_.string()), std::string::npos) << error.what();
  }
}

// Writes 1, fails to write 2 while `fill` holds, then writes 3: the same for every way to fill a disk.
void expect_survival(const fs::path& folder, const ParameterTable& table, const std::function<void()>& fill,
                     const std::function<void()>& empty) {
  BackgroundWriter writer(folder, table, 1);
  writer.start(sample_checkpoint(table, 1), true);
  EXPECT_EQ(writer.finish().at(0).error, "");
  const std::string first = file_bytes(folder / checkpoint_name(1));
  fill();
  writer.start(sample_checkpoint(table, 2), true);
  const auto failed = writer.finish();
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0].step, 2);
  EXPECT_NE(failed[0].error, "");
  EXPECT_NE(failed[0].error.find(checkpoint_name(2)), std::string::npos) << failed[0].error;
  // The old state is whole; nothing of the new one is left.
  EXPECT_FALSE(fs::exists(folder / checkpoint_name(2)));
  EXPECT_FALSE(fs::exists(folder / (checkpoint_name(2) + ".partial")));
  EXPECT_TRUE(file_bytes(folder / checkpoint_name(1)) == first);
  EXPECT_EQ(fs::read_symlink(folder / "latest"), checkpoint_name(1));
  EXPECT_EQ(fs::read_symlink(folder / "best"), checkpoint_name(1));
  empty();
  writer.start(sample_checkpoint(table, 3), false);
  EXPECT_EQ(writer.finish().at(0).error, "");
  EXPECT_EQ(find_newest_checkpoint(folder, table).path, folder / checkpoint_name(3));
}

TEST_F(BackgroundWriterTest, SurvivesAFileSizeLimit) {
  std::optional<FileSizeLimit> limit;
  expect_survival(
      folder_, table_, [&] { limit.emplace(4096); }, [&] { limit.reset(); });
}

TEST_F(BackgroundWriterTest, SurvivesAFullDisk) {
  const fs::path disk = temporary_ / "disk";
  fs::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=4m") != 0)
    GTEST_SKIP() << "mounting a small disk takes root's rights";
  // All but 16 KiB of the disk; a checkpoint takes more.
  const auto fill = [&] {
    const auto space = fs::space(disk).available;
    write_bytes(disk / "ballast", std::string(space - 16384, 'x'));
  };
  expect_survival(disk / "checkpoints", table_, fill, [&] { fs::remove(disk / "ballast"); });
  EXPECT_EQ(::umount(disk.c_str()), 0);
}

}  // namespace
}  // namespace convoy::test
