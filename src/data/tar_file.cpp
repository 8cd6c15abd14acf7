#include "data/tar_file.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <span>
#include <string_view>

#include "base/error.hpp"
#include "base/file_descriptor.hpp"

namespace convoy {

namespace {

using Archive = std::unique_ptr<archive, int (*)(archive*)>;

// A file, or a part of it, for libarchive. Blocks are small: listing needs only headers.
struct PartReader {
  FileDescriptor file;
  std::uint64_t position = 0, end = 0;
  std::array<char, 8192> block{};
};

la_ssize_t read_block(archive* handle, void* data, const void** buffer) {
  auto& reader = *static_cast<PartReader*>(data);
  const auto wanted = std::min<std::uint64_t>(reader.block.size(), reader.end - reader.position);
  try {
    const std::size_t count =
        reader.file.read_at(reader.position, std::as_writable_bytes(std::span(reader.block)).first(wanted));
    reader.position += count;
    *buffer = reader.block.data();
    return static_cast<la_ssize_t>(count);
  } catch (const std::exception& error) {  // must not cross libarchive
    archive_set_error(handle, EIO, "%s", error.what());
    return -1;
  }
}

la_int64_t skip(archive*, void* data, la_int64_t request) {
  auto& reader = *static_cast<PartReader*>(data);
  const auto step =
      std::min<std::uint64_t>(static_cast<std::uint64_t>(request), reader.end - reader.position);
  reader.position += step;
  return static_cast<la_int64_t>(step);
}

std::string_view without_dot(std::string_view path) {
  while (path.starts_with("./")) path.remove_prefix(2);
  return path;
}

const char* path_of(archive_entry* entry, const std::filesystem::path& file) {
  const char* path = archive_entry_pathname_utf8(entry);
  if (path == nullptr) path = archive_entry_pathname(entry);
  if (path == nullptr) fail(ExitCode::bad_data, "{}: a member has no readable name", file.string());
  return path;
}

// Moves to the next member; false at the end.
bool next_entry(archive* handle, archive_entry** entry, const std::filesystem::path& file) {
  const int result = archive_read_next_header(handle, entry);
  if (result == ARCHIVE_EOF) return false;
  if (result < ARCHIVE_WARN) {
    fail(ExitCode::bad_data, "{} is damaged or truncated: {}", file.string(),
         archive_error_string(handle) ? archive_error_string(handle) : "unreadable");
  }
  return true;
}

bool is_plain_file(archive_entry* entry) {
  return archive_entry_filetype(entry) == AE_IFREG && archive_entry_hardlink(entry) == nullptr;
}

}  // namespace

std::string_view file_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

std::vector<TarMember> list_tar(const FilePart& part) {
  PartReader reader;
  reader.file = open_file(part.path, O_RDONLY);
  reader.position = part.offset;
  reader.end = part.offset + part.bytes;
  const Archive handle(archive_read_new(), archive_read_free);
  archive_read_support_format_tar(handle.get());
  if (archive_read_open2(handle.get(), &reader, nullptr, read_block, skip, nullptr) != ARCHIVE_OK)
    fail(ExitCode::bad_data, "{} is not a tar: {}", part.path.string(), archive_error_string(handle.get()));
  std::vector<TarMember> members;
  for (archive_entry* entry = nullptr; next_entry(handle.get(), &entry, part.path);) {
    if (!is_plain_file(entry)) continue;
    TarMember member;
    member.path = without_dot(path_of(entry, part.path));
    if (archive_entry_sparse_count(entry) > 0)
      fail(ExitCode::bad_data, "{}: {} is stored sparse: create the tar without --sparse", part.path.string(),
           member.path);
    // libarchive has just read the member's headers, so its position is the first byte of the content.
    member.offset = part.offset + static_cast<std::uint64_t>(archive_filter_bytes(handle.get(), 0));
    member.bytes = static_cast<std::uint64_t>(archive_entry_size(entry));
    if (member.offset + member.bytes > reader.end)
      fail(ExitCode::bad_data, "{} is truncated: {} is incomplete", part.path.string(), member.path);
    members.push_back(std::move(member));
  }
  return members;
}

std::vector<UnpackedMember> unpack_members(const std::filesystem::path& path,
                                           const std::function<bool(const std::string&)>& wanted) {
  const Archive handle(archive_read_new(), archive_read_free);
  archive_read_support_format_tar(handle.get());
  archive_read_support_filter_all(handle.get());
  constexpr std::size_t block_bytes = 1 << 20;
  if (archive_read_open_filename(handle.get(), path.c_str(), block_bytes) != ARCHIVE_OK)
    fail(ExitCode::bad_data, "{} is not a tar: {}", path.string(), archive_error_string(handle.get()));
  std::vector<UnpackedMember> members;
  for (archive_entry* entry = nullptr; next_entry(handle.get(), &entry, path);) {
    std::string member(without_dot(path_of(entry, path)));
    if (!is_plain_file(entry) || !wanted(member)) continue;
    std::vector<std::byte> bytes(static_cast<std::size_t>(archive_entry_size(entry)));
    const auto count = archive_read_data(handle.get(), bytes.data(), bytes.size());
    if (count < 0 || static_cast<std::size_t>(count) != bytes.size())
      fail(ExitCode::bad_data, "{} is damaged or truncated: {} is incomplete", path.string(), member);
    members.push_back({std::move(member), std::move(bytes)});
  }
  return members;
}

}  // namespace convoy
