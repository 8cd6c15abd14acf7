#include "base/atomic_file.hpp"

#include <fcntl.h>

#include <cerrno>

#include "base/error.hpp"
#include "base/file_descriptor.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

}  // namespace

void flush_to_disk(const fs::path& path) {
  const FileDescriptor file = try_open(path, O_RDONLY);
  if (!file.is_open() || ::fsync(file.number()) != 0) {
    // Some network file systems do not support fsync on folders; then the rename has to suffice.
    if (file.is_open() && errno == EINVAL) return;
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

PartialFile::PartialFile(const fs::path& final_path)
    : final_(final_path), partial_(final_path.string() + ".partial") {}

PartialFile::~PartialFile() {
  std::error_code ignored;
  if (!published_) fs::remove(partial_, ignored);
}

void PartialFile::publish() {
  publish_file(partial_, final_);
  published_ = true;
}

void write_file_atomically(const fs::path& path, std::string_view text) {
  PartialFile partial(path);
  open_file(partial.path(), O_WRONLY | O_CREAT | O_TRUNC).write(text);
  partial.publish();
}

void replace_symlink(const fs::path& link, const fs::path& target) {
  const fs::path temporary = link.string() + ".partial";
  std::error_code error;
  fs::remove(temporary, error);
  fs::create_symlink(target, temporary, error);
  if (!error) fs::rename(temporary, link, error);
  if (error) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    fail(ExitCode::io, "cannot link {} to {}: {}", link.string(), target.string(), error.message());
  }
  flush_to_disk(folder_of(link));
}

std::string read_text_file(const fs::path& path) {
  return open_file(path, O_RDONLY).read_to_end();
}

}  // namespace convoy
