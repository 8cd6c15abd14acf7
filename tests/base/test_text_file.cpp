#include <gtest/gtest.h>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/text_file.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

using namespace std::string_literals;

TEST(TextFile, ByteOrderMarkIsDropped) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.txt";
  write_file_atomically(path, "\xEF\xBB\xBFmodel = alexnet\r\n");
  EXPECT_EQ(read_text(path), "model = alexnet\r\n");
  write_file_atomically(path, "plain");
  EXPECT_EQ(read_text(path), "plain");
}

TEST(TextFile, Utf16AndBinaryFilesAreNamed) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.txt";
  write_file_atomically(path, "\xFF\xFEm\0o\0"s);
  expect_error(ExitCode::bad_data, {"a.txt", "UTF-16"}, [&] { read_text(path); });
  write_file_atomically(path, "\xFE\xFF\0m\0o"s);
  expect_error(ExitCode::bad_data, {"a.txt", "UTF-16"}, [&] { read_text(path); });
  write_file_atomically(path, "ab\0c"s);
  expect_error(ExitCode::bad_data, {"a.txt", "byte 2"}, [&] { read_text(path); });
}

}  // namespace
}  // namespace convoy::test
