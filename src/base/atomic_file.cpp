#include "base/atomic_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/error.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

// Closes a descriptor when the scope ends.
struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

void write_all(int descriptor, std::string_view text, const fs::path& path) {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(ExitCode::io, "cannot write {}: {}", path.string(), system_error_text(errno));
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

}  // namespace

void flush_to_disk(const fs::path& path) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.number < 0 || ::fsync(file.number) != 0) {
    // Some network file systems do not support fsync on folders; then the rename has to suffice.
    if (file.number >= 0 && errno == EINVAL) return;
    fail(ExitCode::io, "cannot flush {} to disk: {}", path.string(), system_error_text(errno));
  }
}

void publish_file(const fs::path& temporary, const fs::path& final_path) {
  flush_to_disk(temporary);
  std::error_code error;
  fs::rename(temporary, final_path, error);
  if (error) {
    fail(ExitCode::io, "cannot rename {} to {}: {}", temporary.string(), final_path.string(),
         error.message());
  }
  flush_to_disk(folder_of(final_path));
}

void write_file_atomically(const fs::path& path, std::string_view text) {
  const fs::path temporary = path.string() + ".partial";
  try {
    {
      const Descriptor file{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)};
      if (file.number < 0)
        fail(ExitCode::io, "cannot create {}: {}", temporary.string(), system_error_text(errno));
      write_all(file.number, text, temporary);
    }
    publish_file(temporary, path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

void replace_symlink(const fs::path& link, const fs::path& target) {
  const fs::path temporary = link.string() + ".partial";
  std::error_code error;
  fs::remove(temporary, error);
  fs::create_symlink(target, temporary, error);
  if (!error) fs::rename(temporary, link, error);
  if (error) fail(ExitCode::io, "cannot link {} to {}: {}", link.string(), target.string(), error.message());
  flush_to_disk(folder_of(link));
}

std::string read_text_file(const fs::path& path) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.number < 0) fail(ExitCode::io, "cannot open {}: {}", path.string(), system_error_text(errno));
  std::string text;
  for (std::vector<char> piece(1 << 16);;) {
    const ssize_t count = ::read(file.number, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(ExitCode::io, "cannot read {}: {}", path.string(), system_error_text(errno));
    if (count == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace convoy
