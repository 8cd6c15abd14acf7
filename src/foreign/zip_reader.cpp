#include "foreign/zip_reader.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cerrno>

#include "base/error.hpp"
#include "foreign/foreign_error.hpp"

namespace convoy {

ZipReader::ZipReader(const std::filesystem::path& path)
    : file_(open_regular_file(path)), archive_(archive_read_new(), archive_read_free) {
  constexpr std::size_t block_bytes = 1 << 20;
  archive_read_support_format_zip_seekable(archive_.get());
  if (archive_read_open_fd(archive_.get(), file_.number(), block_bytes) != ARCHIVE_OK)
    refuse("the list of entries");
}

void ZipReader::refuse(const char* what) const {
  const char* reason = archive_error_string(archive_.get());
  const std::string text = reason != nullptr ? readable(reason) : "unreadable";
  if (archive_errno(archive_.get()) == EIO) fail(ExitCode::io, "cannot read {}: {}", what, text);
  fail(ExitCode::bad_data, "the zip is damaged or truncated: {}: {}. Download or copy it again", what, text);
}

bool ZipReader::next() {
  archive_entry* entry = nullptr;
  const int result = archive_read_next_header(archive_.get(), &entry);
  if (result == ARCHIVE_EOF) return false;
  if (result != ARCHIVE_OK && result != ARCHIVE_WARN) refuse("the list of entries");
  const char* name = archive_entry_pathname(entry);
  name_ = name != nullptr ? name : "";
  return true;
}

std::vector<std::byte> ZipReader::read(std::uint64_t most) {
  std::vector<std::byte> bytes;
  const std::string shown = readable(name_);
  for (;;) {
    const void* block = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int result = archive_read_data_block(archive_.get(), &block, &size, &offset);
    if (result == ARCHIVE_EOF) return bytes;
    if (result != ARCHIVE_OK) refuse(shown.c_str());  // ARCHIVE_WARN: the CRC is wrong
    if (size > most - bytes.size())
      fail(ExitCode::bad_data, "{} has more than the {} bytes that it may have", shown, most);
    const std::size_t end = bytes.size();
    // Grows to what has come: a claimed size costs nothing.
    if (bytes.capacity() < end + size) bytes.reserve(std::min<std::uint64_t>(most, 2 * (end + size)));
    const auto* first = static_cast<const std::byte*>(block);
    bytes.insert(bytes.end(), first, first + size);
  }
}

}  // namespace convoy
