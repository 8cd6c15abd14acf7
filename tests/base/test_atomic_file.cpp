#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using test::TemporaryFolder;

// The Error that `action` throws must be an I/O error whose text holds `part`.
template <typename Action>
void expect_io_error(Action action, const std::string& part) {
  try {
    action();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::io);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

// Until the end of the scope no file of this process may grow beyond `bytes`: stands for a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
};

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
    expect_io_error([&] { write_file_atomically(file, std::string(100'000, 'x')); }, "File too large");
  }
  EXPECT_EQ(read_text_file(file), "sound");
  EXPECT_FALSE(fs::exists(file.string() + ".partial")) << "a full disk is not filled further";
}

TEST(WriteFileAtomically, NamesAFolderThatIsNotThere) {
  const TemporaryFolder folder;
  const fs::path file = folder / "absent" / "run.json";
  expect_io_error([&] { write_file_atomically(file, "x"); }, file.string());
  expect_io_error([&] { write_file_atomically(file, "x"); }, "No such file or directory");
}

TEST(WriteFileAtomically, RefusesAFoldersName) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "run.json" / "inside");
  expect_io_error([&] { write_file_atomically(folder / "run.json", "x"); }, "cannot rename");
}

TEST(PublishFile, MovesAWholeFile) {
  const TemporaryFolder folder;
  std::ofstream(folder / "x.partial") << "content";
  publish_file(folder / "x.partial", folder / "x");
  EXPECT_EQ(read_text_file(folder / "x"), "content");
  EXPECT_FALSE(fs::exists(folder / "x.partial"));
  expect_io_error([&] { publish_file(folder / "x.partial", folder / "x"); }, "x.partial");
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
  expect_io_error([&] { replace_symlink(folder / "absent" / "latest", "x"); }, "latest");
}

TEST(ReadTextFile, SaysWhyNot) {
  const TemporaryFolder folder;
  expect_io_error([&] { read_text_file(folder / "absent"); }, "No such file or directory");
  expect_io_error([&] { read_text_file(folder.path()); }, folder.path().string());
}

TEST(FlushToDisk, AcceptsFilesAndFolders) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "x", "x");
  EXPECT_NO_THROW(flush_to_disk(folder / "x"));
  EXPECT_NO_THROW(flush_to_disk(folder.path()));
  expect_io_error([&] { flush_to_disk(folder / "absent"); }, "absent");
}

}  // namespace
}  // namespace convoy
