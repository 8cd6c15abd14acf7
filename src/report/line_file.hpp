// A text file that grows by complete lines during a run: metrics.jsonl, mllog.txt. A line that cannot be
// written (a full disk, a removed folder) is kept in memory and written as soon as that is possible, so that
// the file has neither gaps nor halves of lines; the run does not end for it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/file_descriptor.hpp"
#include "base/log.hpp"

namespace convoy {

class LineFile {
 public:
  LineFile(std::filesystem::path path, const Log& log);
  ~LineFile();  // tries once more to write what is kept, and says how much is lost
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  // Adds `line`, which ends with a newline, behind what the file holds. Warns of the first failure, and tells
  // when lines are written again. A file that was removed or moved away meanwhile is begun anew, with its
  // folder; one that was cut is continued at its end.
  void append(std::string_view line);

 private:
  void write_kept();
  void open();
  bool is_as_left() const;

  std::filesystem::path path_;
  const Log& log_;
  FileDescriptor file_;
  std::uint64_t end_ = 0;  // of the complete lines in the file
  std::string kept_;       // lines that are not in the file yet
  std::uint64_t dropped_ = 0;
  bool failing_ = false;
};

}  // namespace convoy
