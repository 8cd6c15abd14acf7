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

FolderLock::FolderLock(const std::filesystem::path& folder, std::chrono::milliseconds patience) {
  const int descriptor = ::open((folder / ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) return;
  const Clock::time_point end = Clock::now() + patience;
  int refusal = try_lock(descriptor);
  while (refusal == EWOULDBLOCK && Clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    refusal = try_lock(descriptor);
  }
  if (refusal == 0) {
    descriptor_ = descriptor;
    write_holder(descriptor_);
    return;
  }
  const std::string name = holder(descriptor);
  ::close(descriptor);
  if (refusal == EWOULDBLOCK)
    fail(ExitCode::usage,
         "{} is being written by another run ({}): wait until it has ended, or choose another folder; "
         "if that host is gone, remove {}",
         folder.string(), name, (folder / ".lock").string());
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

FolderLock::FolderLock(FolderLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FolderLock& FolderLock::operator=(FolderLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

}  // namespace convoy
