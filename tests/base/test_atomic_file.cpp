#include <gtest/gtest.h>

#include <fstream>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "support/expect_error.hpp"
#include "support/file_size_limit.hpp"
#include "support/temporary_folder.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using test::expect_error;
using test::FileSizeLimit;
using test::TemporaryFolder;

TEST(WriteFileAtomically, WritesAndReplaces) {
  const TemporaryFolder folder;
  const fs::path file = folder / "run.json";
  write_file_atomically(file, "first");
  EXPECT_EQ(read_text_file(file), "first");
  const std::string binary("a\0b\n\xff", 5);
  write_file_atomically(file, binary);
  EXPECT_EQ(read_text_file(file), binary);
  write_file_atomically(file, "");
  EXPECT_EQ(read_text_file(file), "");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 1)
      << "no temporary file may stay";
}

TEST(WriteFileAtomically, KeepsTheOldFileWhenTheDiskIsFull) {
  const TemporaryFolder folder;
  const fs::path file = folder / "store.json";
  write_file_atomically(file, "sound");
  {
    const FileSizeLimit limit(1000);
    expect_error(ExitCode::io, {"File too large"},
                 [&] { write_file_atomically(file, std::string(100'000, 'x')); });
  }
  EXPECT_EQ(read_text_file(file), "sound");
  EXPECT_FALSE(fs::exists(file.string() + ".partial")) << "a full disk is not filled further";
}

TEST(WriteFileAtomically, NamesAFolderThatIsNotThere) {
  const TemporaryFolder folder;
  const fs::path file = folder / "absent" / "run.json";
  expect_error(ExitCode::io, {file.string()}, [&] { write_file_atomically(file, "x"); });
  expect_error(ExitCode::io, {"No such file or directory"}, [&] { write_file_atomically(file, "x"); });
}

TEST(WriteFileAtomically, RefusesAFoldersName) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "run.json" / "inside");
  expect_error(ExitCode::io, {"cannot rename"}, [&] { write_file_atomically(folder / "run.json", "x"); });
}

TEST(PublishFile, MovesAWholeFile) {
  const TemporaryFolder folder;
  std::ofstream(folder / "x.partial") << "content";
  publish_file(folder / "x.partial", folder / "x");
  EXPECT_EQ(read_text_file(folder / "x"), "content");
  EXPECT_FALSE(fs::exists(folder / "x.partial"));
  expect_error(ExitCode::io, {"x.partial"}, [&] { publish_file(folder / "x.partial", folder / "x"); });
  EXPECT_EQ(read_text_file(folder / "x"), "content");
}

TEST(ReplaceSymlink, MovesInOneStep) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "step-1.h5", "1");
  write_file_atomically(folder / "step-2.h5", "2");
  replace_symlink(folder / "latest", "step-1.h5");
  EXPECT_EQ(read_text_file(folder / "latest"), "1");
  replace_symlink(folder / "latest", "step-2.h5");
  EXPECT_EQ(read_text_file(folder / "latest"), "2");
  EXPECT_EQ(fs::read_symlink(folder / "latest"), "step-2.h5") << "relative, so that the folder can move";
  // A killed run may have left its temporary link.
  fs::create_symlink("nowhere", folder / "latest.partial");
  replace_symlink(folder / "latest", "step-1.h5");
  EXPECT_EQ(read_text_file(folder / "latest"), "1");
}

TEST(ReplaceSymlink, SaysWhatCannotBeDone) {
  const TemporaryFolder folder;
  expect_error(ExitCode::io, {"latest"}, [&] { replace_symlink(folder / "absent" / "latest", "x"); });
}

TEST(ReadTextFile, SaysWhyNot) {
  const TemporaryFolder folder;
  expect_error(ExitCode::io, {"No such file or directory"}, [&] { read_text_file(folder / "absent"); });
  expect_error(ExitCode::io, {folder.path().string()}, [&] { read_text_file(folder.path()); });
}

TEST(FlushToDisk, AcceptsFilesAndFolders) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "x", "x");
  EXPECT_NO_THROW(flush_to_disk(folder / "x"));
  EXPECT_NO_THROW(flush_to_disk(folder.path()));
  expect_error(ExitCode::io, {"absent"}, [&] { flush_to_disk(folder / "absent"); });
}

}  // namespace
}  // namespace convoy
