// A file of lines on a disk that fills up, in a folder that disappears, behind a process that was killed.
#include <gtest/gtest.h>

#include <fstream>

#include "base/atomic_file.hpp"
#include "report/line_file.hpp"
#include "support/file_size_limit.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

// Longer than the messages of the log, whose capture is a file under the same limit.
std::string long_line(char letter) {
  return std::string(4000, letter) + '\n';
}

TEST(LineFile, WritesLaterWhatADiskRefuses) {
  TemporaryFolder folder;
  const std::string first = long_line('1'), second = long_line('2'), third = long_line('3');
  const Log log;
  testing::internal::CaptureStderr();
  LineFile file(folder / "lines", log);
  {
    const FileSizeLimit limit(6000);
    for (const std::string& line : {first, second, third}) file.append(line);
    EXPECT_EQ(read_text_file(folder / "lines"), first) << "no half of a line";
  }
  file.append("fourth\n");
  EXPECT_EQ(read_text_file(folder / "lines"), first + second + third + "fourth\n");
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("lines: File too large: the run continues"), std::string::npos) << said;
  EXPECT_EQ(said.find("File too large"), said.rfind("File too large")) << said;
  EXPECT_NE(said.find("is written again"), std::string::npos) << said;
}

TEST(LineFile, SaysWhatIsLostInTheEnd) {
  TemporaryFolder folder;
  const Log log;
  testing::internal::CaptureStderr();
  const FileSizeLimit limit(3000);
  {
    LineFile file(folder / "lines", log);
    for (const std::string& line : {long_line('1'), long_line('2')}) file.append(line);
  }
  EXPECT_NE(testing::internal::GetCapturedStderr().find("misses 2 lines"), std::string::npos);
}

TEST(LineFile, BeginsAnewWhereTheFileWasRemoved) {
  TemporaryFolder folder;
  const Log log;
  LineFile file(folder / "run" / "lines", log);
  file.append("first\n");
  std::filesystem::remove_all(folder / "run");
  file.append("second\n");
  EXPECT_EQ(read_text_file(folder / "run" / "lines"), "second\n");
}

// As tools do that move logs away by copying them.
TEST(LineFile, ContinuesAtTheEndOfAFileThatWasCut) {
  TemporaryFolder folder;
  const Log log;
  LineFile file(folder / "lines", log);
  file.append("first\n");
  std::filesystem::resize_file(folder / "lines", 0);
  file.append("second\n");
  EXPECT_EQ(read_text_file(folder / "lines"), "second\n");
}

TEST(LineFile, ContinuesBehindTheLastWholeLine) {
  TemporaryFolder folder;
  const Log log;
  std::ofstream(folder / "lines") << "first\nhalf of a li";
  LineFile(folder / "lines", log).append("a\n");
  EXPECT_EQ(read_text_file(folder / "lines"), "first\na\n");
}

}  // namespace
}  // namespace convoy::test
