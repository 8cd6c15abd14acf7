// Files that are either complete or absent: written under a temporary name, flushed to disk and renamed,
// after which the folder is flushed. Used for store.json, run.json, checkpoints, links.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace convoy {

// Flushes a file's (or folder's) contents to disk. Throws ExitCode::io with path and reason.
void flush_to_disk(const std::filesystem::path& path);

// Flushes `temporary`, renames it to `final_path` and flushes the folder. Throws ExitCode::io; `temporary`
// then still exists.
void publish_file(const std::filesystem::path& temporary, const std::filesystem::path& final_path);

// The temporary name of a file that a library or several calls write. Unless it is published, the destructor
// removes the file: a full disk is not filled further.
class PartialFile {
 public:
  explicit PartialFile(const std::filesystem::path& final_path);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;
  const std::filesystem::path& path() const { return partial_; }
  void publish();  // as publish_file

 private:
  std::filesystem::path final_, partial_;
  bool published_ = false;
};

// Replaces `path` by a file that contains `text`. Throws ExitCode::io (disk full, no permission); the old
// file then remains and no other.
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

// Makes `link` a symbolic link to `target` (relative), replacing it in one step.
void replace_symlink(const std::filesystem::path& link, const std::filesystem::path& target);

// The file's full text. Throws ExitCode::io with the reason.
std::string read_text_file(const std::filesystem::path& path);

}  // namespace convoy
