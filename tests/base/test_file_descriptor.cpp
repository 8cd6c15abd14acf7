// The owner of a descriptor: whole reads and writes, and errors that name the file.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy {
namespace {

using test::expect_error;
using test::TemporaryFolder;

// The bytes of `text`, to be read into or written from.
std::span<std::byte> bytes_of(std::string& text) {
  return std::as_writable_bytes(std::span(text));
}

TEST(FileDescriptor, WritesAndReadsAtOffsets) {
  const TemporaryFolder folder;
  const FileDescriptor file = open_file(folder / "x", O_RDWR | O_CREAT);
  std::string text = "world";
  file.write("hello ");
  file.write_at(6, bytes_of(text));
  EXPECT_EQ(file.size(), 11U);
  file.read_exactly(4, bytes_of(text));
  EXPECT_EQ(text, "o wor");
  EXPECT_EQ(file.read_at(8, bytes_of(text)), 3U) << "the file ends there";
  EXPECT_EQ(text.substr(0, 3), "rld");
  EXPECT_EQ(file.read_at(100, bytes_of(text)), 0U);
  EXPECT_EQ(open_file(folder / "x", O_RDONLY).read_to_end(), "hello world");
}

// More than a pipe holds, so that reads and writes come in parts; a pipe has no offsets.
TEST(FileDescriptor, ReadsAPipeToItsEnd) {
  int ends[2] = {};
  ASSERT_EQ(::pipe(ends), 0);
  const FileDescriptor out(ends[0], "the pipe");
  FileDescriptor in(ends[1], "the pipe");
  const std::string sent(1'000'000, 'x');
  std::thread writer([&] {
    in.write(sent);
    in = {};  // closes it
  });
  EXPECT_EQ(out.read_to_end(), sent);
  writer.join();
  std::string byte = "x";
  expect_error(ExitCode::io, {"cannot read the pipe: Illegal seek"}, [&] { out.read_at(0, bytes_of(byte)); });
}

TEST(FileDescriptor, ClosesOnceWhoeverOwnsItLast) {
  const TemporaryFolder folder;
  FileDescriptor first = open_file(folder / "x", O_RDWR | O_CREAT);
  const int number = first.number();
  FileDescriptor second = std::move(first);
  EXPECT_FALSE(first.is_open());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(second.number(), number);
  EXPECT_GE(::fcntl(number, F_GETFD), 0);
  EXPECT_NE(::fcntl(number, F_GETFD) & FD_CLOEXEC, 0);
  second = {};
  EXPECT_LT(::fcntl(number, F_GETFD), 0) << "it is closed";
}

TEST(FileDescriptor, ErrorsNameTheFile) {
  const TemporaryFolder folder;
  const std::string path = (folder / "absent").string();
  EXPECT_FALSE(try_open(path, O_RDONLY).is_open());
  EXPECT_EQ(errno, ENOENT);
  expect_error(ExitCode::io, {"cannot open " + path + ": No such file or directory"},
               [&] { open_file(path, O_RDONLY); });
  expect_error(ExitCode::io, {"cannot create " + path + "/x: "},
               [&] { open_file(path + "/x", O_WRONLY | O_CREAT); });
  const FileDescriptor read_only = open_file(folder.path(), O_RDONLY);
  expect_error(ExitCode::io, {"cannot read " + folder.path().string()}, [&] { read_only.read_to_end(); });
  expect_error(ExitCode::io, {"cannot write " + folder.path().string()}, [&] { read_only.write("x"); });
  const FileDescriptor file = open_file(path, O_RDWR | O_CREAT);
  std::string byte = "x";
  expect_error(ExitCode::io, {path + " became shorter while it was read"},
               [&] { file.read_exactly(0, bytes_of(byte)); });
}

// None of these may wait for the other end of the FIFO.
TEST(FileDescriptor, WhatIsNoFileIsNamedInsteadOfOpened) {
  const TemporaryFolder folder;
  const std::string pipe = (folder / "pipe").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0666), 0);
  expect_error(ExitCode::io, {pipe + " is a FIFO (named pipe), not a file"},
               [&] { open_regular_file(pipe); });
  expect_error(ExitCode::io, {pipe + " is a FIFO (named pipe) to which no program writes"},
               [&] { read_file_or_pipe(pipe); });
  expect_error(ExitCode::io, {"/dev/zero is a device, not a file"}, [&] { read_file_or_pipe("/dev/zero"); });
  EXPECT_EQ(read_file_or_pipe("/dev/null"), "");
  expect_error(ExitCode::io, {"is a folder, not a file"}, [&] { open_regular_file(folder.path()); });
  expect_error(ExitCode::io, {"absent: No such file"}, [&] { open_regular_file(folder / "absent"); });
}

TEST(FileDescriptor, PipeWithAWriterIsReadToItsEnd) {
  const TemporaryFolder folder;
  const std::filesystem::path pipe = folder / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0666), 0);
  FileDescriptor in = open_file(pipe, O_RDWR);  // a writer, from now on
  const std::string sent(300'000, 'x');
  std::thread writer([&] {
    in.write(sent);
    in = {};
  });
  EXPECT_EQ(read_file_or_pipe(pipe), sent);
  writer.join();
  open_file(folder / "x", O_RDWR | O_CREAT).write("hello");
  EXPECT_EQ(read_file_or_pipe(folder / "x"), "hello");
  EXPECT_EQ(open_regular_file(folder / "x").read_to_end(), "hello");
}

}  // namespace
}  // namespace convoy
