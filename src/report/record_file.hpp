// A file of records as TensorFlow frames them (TFRecord), which grows while others read it: for each record
// its length (u64), a masked CRC-32C of the length, its bytes and a masked CRC-32C of them, little-endian.
// Used by TensorBoard's files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/file_descriptor.hpp"

namespace convoy {

// A record with its length and checksums.
std::string framed_record(std::string_view bytes);

class RecordFile {
 public:
  RecordFile() = default;  // no file: nothing may be appended
  // Makes the file. Throws ExitCode::io, also if it is there already.
  explicit RecordFile(const std::filesystem::path& path);

  // Writes one record behind the others; on return, readers see it. Throws ExitCode::io (disk full); the file
  // then ends with the record before, and a later record may be appended.
  void append(std::string_view bytes);

 private:
  FileDescriptor file_;
  std::uint64_t end_ = 0;
};

}  // namespace convoy
