// The entries of a zip one after the other, through libarchive, which checks each one's CRC. For PyTorch's
// files; images in zips, which are read at their places by many threads, have sources/zip_file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/file_descriptor.hpp"

struct archive;

namespace convoy {

// Functions throw ExitCode::bad_data (without the file's name) for a damaged zip, ExitCode::io.
class ZipReader {
 public:
  explicit ZipReader(const std::filesystem::path& path);

  bool next();  // moves to the next entry; false at the end
  const std::string& name() const { return name_; }
  // The entry unpacked, which must have at most `most` bytes: more are not unpacked.
  std::vector<std::byte> read(std::uint64_t most);

 private:
  [[noreturn]] void refuse(const char* what) const;

  FileDescriptor file_;
  std::unique_ptr<archive, int (*)(archive*)> archive_;
  std::string name_;
};

}  // namespace convoy
