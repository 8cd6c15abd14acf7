// A file in memory, for libraries that read and write only named files. Used by data/ to build the structure
// of an HDF5 file before anything reaches the disk.
#pragma once

#include <string>

#include "base/file_descriptor.hpp"

namespace convoy {

// Ranges that are never written take no memory. The file disappears with its last descriptor.
class MemoryFile {
 public:
  explicit MemoryFile(const char* name);  // `name` is for messages; throws ExitCode::io
  const FileDescriptor& descriptor() const { return file_; }
  std::string path() const;  // opens this file as long as this object exists

 private:
  FileDescriptor file_;
};

}  // namespace convoy
