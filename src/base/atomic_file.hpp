// Files that are either whole or absent: written beside their final name, flushed to disk, renamed, and the
// folder flushed. Used for store.json, run.json, checkpoints, links.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace convoy {

// Flushes a file's (or folder's) contents to disk. Throws ExitCode::io with path and reason.
void flush_to_disk(const std::filesystem::path& path);

// Flushes `temporary`, renames it to `final_path` and flushes the folder. Throws ExitCode::io; `temporary` is
// then still there.
void publish_file(const std::filesystem::path& temporary, const std::filesystem::path& final_path);

// Replaces `path` by a file holding `text`. Throws ExitCode::io (disk full, no permission) and leaves the old
// file and no other.
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

// Makes `link` a symbolic link to `target` (relative), replacing it in one step.
void replace_symlink(const std::filesystem::path& link, const std::filesystem::path& target);

// The file's whole text. Throws ExitCode::io, saying why.
std::string read_text_file(const std::filesystem::path& path);

}  // namespace convoy
