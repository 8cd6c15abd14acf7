// Lets one process at a time write a folder: two runs of a job that was submitted twice would overwrite each
// other's files. Used for the output folder of training.
#pragma once

#include <chrono>
#include <filesystem>

#include "base/file_descriptor.hpp"

namespace convoy {

class FolderLock {
 public:
  FolderLock() = default;  // holds nothing
  // Locks `folder` by flock(2) on a file `.lock` in it, which names the holder and remains when the lock is
  // released. The kernel releases it however the process exits. While another process holds it,
  // waits up to `patience` (one that was killed may take a moment to go), then throws ExitCode::usage that
  // names the folder and the holder. Where the file cannot be made or the file system has no locks, holds
  // nothing.
  FolderLock(const std::filesystem::path& folder, std::chrono::milliseconds patience);

  bool held() const { return file_.is_open(); }

 private:
  FileDescriptor file_;
};

}  // namespace convoy
