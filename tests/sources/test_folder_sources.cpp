// Image folders with what file systems contain besides files: links to nothing, pipes, folders that cannot be
// listed or are empty.

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>

#include "base/file_descriptor.hpp"
#include "data/image_files.hpp"
#include "sources/source.hpp"
#include "sources/source_content.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"
#include "support/without_privilege.hpp"

namespace convoy::test {
namespace {

namespace fs = std::filesystem;

class FolderSources : public testing::Test {
 protected:
  FolderSources() {
    write_file(folder_ / "data/cat/1.png", png_of(1));
    write_file(folder_ / "data/dog/1.png", png_of(2));
  }
  SourceIndex index() { return index_of(folder_ / "data"); }
  const TemporaryFolder folder_;
};

TEST_F(FolderSources, PipesAndSocketsNamedLikeImagesHaveAFlaw) {
  ASSERT_EQ(::mkfifo((folder_ / "data/cat/2.jpg").c_str(), 0666), 0);
  ASSERT_EQ(::mkfifo((folder_ / "data/cat/pipe").c_str(), 0666), 0);
  fs::create_symlink("2.jpg", folder_ / "data/cat/3.jpg");
  const FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM, 0), "a socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = folder_ / "data/dog/4.jpg";
  ASSERT_LT(path.size(), sizeof address.sun_path);
  std::strcpy(address.sun_path, path.c_str());
  ASSERT_EQ(::bind(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const SourceIndex found = index();
  EXPECT_EQ(found.items.size(), 5U);
  EXPECT_EQ(found.ignored, 1);
  EXPECT_EQ(flaw_of(found, "cat/2.jpg"), "is a FIFO (named pipe), not a file");
  EXPECT_EQ(flaw_of(found, "cat/3.jpg"), "is a FIFO (named pipe), not a file");
  EXPECT_EQ(flaw_of(found, "dog/4.jpg"), "is a socket, not a file");
}

// Opening it would wait for a writer without end.
TEST_F(FolderSources, PipeThatReplacesAnImageIsNotOpened) {
  const SourceIndex found = index();
  fs::remove(folder_ / "data/cat/1.png");
  ASSERT_EQ(::mkfifo((folder_ / "data/cat/1.png").c_str(), 0666), 0);
  expect_error(ExitCode::io, {"cat/1.png", "FIFO"}, [&] { content_of(found); });
}

TEST_F(FolderSources, PipeOrDeviceAsTheSourceIsNamed) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0666), 0);
  expect_error(ExitCode::usage, {"pipe is a FIFO", "supported are"}, [&] { index_of(folder_ / "pipe"); });
  expect_error(ExitCode::usage, {"/dev/null is a device"}, [&] { index_of("/dev/null"); });
}

TEST_F(FolderSources, LinksToNothing) {
  fs::create_symlink("gone/x.jpg", folder_ / "data/cat/2.jpg");
  fs::create_symlink("3.jpg", folder_ / "data/cat/3.jpg");
  fs::create_symlink("gone", folder_ / "data/cat/readme.txt");
  const SourceIndex found = index();
  EXPECT_EQ(found.ignored, 1);
  EXPECT_EQ(flaw_of(found, "cat/2.jpg"), "is a symbolic link to gone/x.jpg: No such file or directory");
  EXPECT_EQ(flaw_of(found, "cat/3.jpg"), "is a symbolic link to 3.jpg: Too many levels of symbolic links");
  // A whole class may be behind it.
  fs::create_symlink("/nowhere/bee", folder_ / "data/bee");
  expect_error(ExitCode::bad_data, {"data/bee", "/nowhere/bee", "folder"}, [&] { index(); });
}

TEST_F(FolderSources, FoldersWithoutAnImageAreNamed) {
  write_file(folder_ / "data/eel/notes.txt", "x");
  fs::create_directory(folder_ / "data/fox");
  fs::create_directory(folder_ / "data/cat/inner");
  write_file(folder_ / "data/__MACOSX/cat/._1.png", "x");
  const SourceIndex found = index();
  EXPECT_EQ(found.classes, (std::vector<std::string>{"cat", "dog"}));
  ASSERT_EQ(found.warnings.size(), 1U);
  EXPECT_NE(found.warnings[0].find("eel, fox"), std::string::npos) << found.warnings[0];
  EXPECT_EQ(found.warnings[0].find("inner"), std::string::npos);
}

TEST_F(FolderSources, FolderThatCannotBeListedIsNamed) {
  write_file(folder_ / "data/cow/1.png", png_of(1));
  fs::permissions(folder_ / "data/..", fs::perms::all);
  fs::permissions(folder_ / "data/cow", fs::perms::none);
  const WithoutPrivilege user;
  expect_error(ExitCode::io, {"cannot list", "data/cow: Permission denied"}, [&] { index(); });
}

TEST_F(FolderSources, LoopOfFoldersIsNamed) {
  write_file(folder_ / "data/cat/deep/1.png", png_of(1));
  fs::create_directory_symlink(folder_ / "data/cat", folder_ / "data/cat/deep/loop");
  expect_error(ExitCode::usage, {"cat/deep/loop is a link that leads back"}, [&] { index(); });
}

}  // namespace
}  // namespace convoy::test
