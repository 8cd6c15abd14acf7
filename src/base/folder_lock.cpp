#include "base/folder_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <thread>
#include <utility>

#include "base/error.hpp"
#include "base/host_name.hpp"

namespace convoy {
namespace {

using Clock = std::chrono::steady_clock;

// Returns 0, or the errno that prevented the lock.
int try_lock(int descriptor) {
  while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0)
    if (errno != EINTR) return errno;
  return 0;
}

std::string holder(int descriptor) {
  std::array<char, 256> text{};
  const ssize_t count = ::pread(descriptor, text.data(), text.size(), 0);
  return count > 0 ? std::string(text.data(), static_cast<std::size_t>(count)) : std::string("unknown");
}

// Only for the message of a later process; the lock itself does not depend on it.
void write_holder(int descriptor) {
  const std::string text = fmt::format("process {} on {}", ::getpid(), host_name());
  if (::ftruncate(descriptor, 0) != 0) return;
  [[maybe_unused]] const ssize_t written = ::pwrite(descriptor, text.data(), text.size(), 0);
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder, std::chrono::milliseconds patience,
                       const std::string& name) {
  FileDescriptor file = try_open(folder / name, O_RDWR | O_CREAT);
  // Another user's file, in a folder that a group shares: the lock does not need to write.
  if (!file.is_open() && errno == EACCES) file = try_open(folder / name, O_RDONLY);
  if (!file.is_open()) return;
  const Clock::time_point end = Clock::now() + patience;
  int refusal = try_lock(file.number());
  while (refusal == EWOULDBLOCK && Clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    refusal = try_lock(file.number());
  }
  if (refusal == 0) {
    write_holder(file.number());
    file_ = std::move(file);
    return;
  }
  if (refusal == EWOULDBLOCK)
    fail(ExitCode::usage,
         "{} is being written by another process ({}): wait until it has ended, or choose another folder; "
         "if that host is gone, remove {}",
         folder.string(), holder(file.number()), (folder / name).string());
}

std::optional<bool> folder_is_locked(const std::filesystem::path& folder, const std::string& name) {
  const FileDescriptor file = try_open(folder / name, O_RDONLY);
  if (!file.is_open()) return std::nullopt;
  if (::flock(file.number(), LOCK_SH | LOCK_NB) == 0) return false;
  if (errno == EWOULDBLOCK) return true;
  return std::nullopt;
}

}  // namespace convoy
