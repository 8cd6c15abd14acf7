// Allows one process at a time to write a folder: two runs of a job that was submitted twice would overwrite
// each other's files. Used for the output folder of training and for a store that is packed.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "base/file_descriptor.hpp"

namespace convoy {

class FolderLock {
 public:
  FolderLock() = default;  // holds nothing
  // Locks `folder`, or the part of it that `name` stands for, by flock(2) on its file `name`, which contains
  // the holder's name and remains after the lock is released. The kernel releases the lock however the
  // process exits. While another process holds it, waits up to `patience` (a killed process may need a moment
  // to exit), then throws ExitCode::usage with the folder and the holder. If the file cannot be created or
  // the file system does not support locks, the object holds nothing.
  FolderLock(const std::filesystem::path& folder, std::chrono::milliseconds patience,
             const std::string& name = ".lock");

  bool held() const { return file_.is_open(); }

 private:
  FileDescriptor file_;
};

// Whether another process holds the lock now; nothing where the file system does not say, or no process ever
// locked the folder. Looking takes the lock for a moment, shared with others who look.
std::optional<bool> folder_is_locked(const std::filesystem::path& folder, const std::string& name = ".lock");

}  // namespace convoy
